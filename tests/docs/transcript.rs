//! Transcripts: what stands behind a `$ ` is typed into a shell, and what follows is what it prints, errors included.
//!
//! All transcripts of a document are one session: they share a home folder, in which they start, and with it the data
//! folder. Blocks of a document that have a name are files there, from the place on where they stand. A command may go
//! on over several lines, which then begin with `> `.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Document;
use super::block::Block;
use super::placeholder::Placeholders;

/// What ends the output of a command: the record separator of ASCII, which nothing prints.
const SEPARATOR: char = '\u{1e}';

/// Seconds after which a transcript hangs.
const PATIENCE: &str = "120";

/// Plays every transcript of a document; with `update` the document is changed where it is not true.
pub fn check(document: &Document, update: bool) -> Vec<String> {
    let home = TempDir::new().expect("a home folder");
    let mut placeholders = Placeholders::default();
    let mut breaches = Vec::new();
    let mut changed = Vec::new();
    for block in &document.blocks {
        if let Some(name) = block.value("file") {
            write(home.path(), name, block);
        }
        if block.language != "console" {
            continue;
        }
        let commands = commands(&block.text);
        let played = play(&commands, home.path(), &mut placeholders);
        if played != block.text {
            breaches.push(format!("{}: this is printed:\n{played}", document.place(block)));
            changed.push((block, played));
        }
    }
    if update && !changed.is_empty() {
        document.rewrite(&changed);
        return Vec::new();
    }
    breaches
}

/// The commands of a transcript, each as its lines.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let mut commands: Vec<Vec<&str>> = Vec::new();
    let mut is_typed = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(vec![command]);
            is_typed = true;
        } else if let (true, Some(more), Some(last)) = (is_typed, line.strip_prefix("> "), commands.last_mut()) {
            last.push(more);
        } else {
            is_typed = false;
        }
    }
    commands
}

/// Types the commands into one shell, and writes down what it looks like.
fn play(commands: &[Vec<&str>], home: &Path, placeholders: &mut Placeholders) -> String {
    let mut script = String::from("exec 2>&1\n");
    for command in commands {
        // What a command ended with is there for the next one, as in any shell.
        let _ = writeln!(script, "{}", placeholders.reveal(&command.join("\n")));
        let _ = writeln!(script, "_status=$?; printf '\\036'; (exit $_status)");
    }
    let output = Command::new("timeout")
        .args([PATIENCE, "sh", "-c", &script])
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("PATH", format!("{}:{}", program_folder(), std::env::var("PATH").unwrap_or_default()))
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut outputs = printed.split(SEPARATOR);
    let mut text = String::new();
    for command in commands {
        let _ = writeln!(text, "$ {}", command.join("\n> "));
        let printed = placeholders.hide(outputs.next().unwrap_or("(the shell has ended)"), home);
        text.push_str(&printed);
        if !printed.is_empty() && !printed.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

fn program_folder() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_lockstep"));
    program.parent().expect("a program lies in a folder").display().to_string()
}

fn write(home: &Path, name: &str, block: &Block) {
    let path = home.join(name);
    fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the file's folder");
    fs::write(&path, &block.text).expect("the file");
    if block.is("executable") {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its permissions");
    }
}

#[test]
fn a_transcript_is_what_a_shell_prints() {
    let home = TempDir::new().expect("a home folder");
    let text = "$ printf 'no newline'\nno newline\n$ false\n$ echo \"it was $?\"; pwd >&2\nit was 1\n/home/ana\n$ echo a \\\n>   b\na b\n";
    assert_eq!(play(&commands(text), home.path(), &mut Placeholders::default()), text);
    assert_eq!(play(&commands("$ exit 3\n$ echo b\n"), home.path(), &mut Placeholders::default()), {
        "$ exit 3\n$ echo b\n(the shell has ended)\n"
    });
}
