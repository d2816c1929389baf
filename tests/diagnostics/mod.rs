//! Every diagnostic as its reader sees it.
//!
//! `LSnnnn-what-it-shows.yaml` is a runbook that is refused or warned about, and the `.txt` beside it is the whole
//! output of checking it, in which the code `LSnnnn` must stand. `UPDATE_EXPECT=1` writes what is printed now over
//! what is expected. Every code has a case here and a page in `docs/errors/`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lockstep_dsl::compile::{FileContent, FileError, Files};
use lockstep_dsl::diagnostic::{self, ALL, Color, Diagnostic};
use lockstep_dsl::{limits, test_file, yaml};

/// A case that is too large to be kept as a file: its name, and what makes its text.
type Generated = (&'static str, fn() -> String);

const GENERATED: &[Generated] = &[
    ("LS0030-too-large", || "#".repeat(limits::SOURCE_BYTES + 1)),
    ("LS0031-nested-flow", || format!("steps: {}\n", "[".repeat(10_000))),
    ("LS0031-nested-block", || format!("steps:\n  {}x\n", "- ".repeat(200))),
    ("LS0032-too-many-nodes", || format!("steps:\n{}", "- a\n".repeat(limits::YAML_NODES))),
    ("LS0032-too-many-separators", || format!("steps: [{}]\n", "a, ".repeat(limits::YAML_SEPARATORS))),
    ("LS0033-billion-laughs", || {
        (1..10).fold("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned(), |text, level| {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("{text}a{level}: &a{level} [{below}]\n")
        })
    }),
    ("LS0034-long-text", || format!("description: {}\n", "x".repeat(limits::SCALAR_BYTES + 1))),
    ("LS0260-too-many-steps", || format!("runbook: a\nsteps:\n{}", "- wait: 1s\n".repeat(limits::STEPS + 1))),
    ("LS0261-too-many-expressions", || {
        format!("runbook: a\nsteps:\n- exec:\n{}", "  - '${{ 1 }}'\n".repeat(limits::EXPRESSIONS + 1))
    }),
    ("LS0262-too-many-variables", || {
        let variables = (0..1_000).map(|number| format!("    A{number}: x")).collect::<Vec<_>>().join("\n");
        format!("runbook: a\nsteps:\n- env:\n{variables}\n  do:\n{}", "  - shell: x\n".repeat(1_000))
    }),
    ("LS0308-nested", || format!("runbook: a\nsteps:\n- script: {}1{}\n", "(".repeat(500), ")".repeat(500))),
    ("LS0308-long", || format!("runbook: a\nsteps:\n- script: |\n    1{}\n", " + 1".repeat(20_000))),
    ("LS0034-long-key", || format!("{}: x\n", "k".repeat(limits::KEY_BYTES + 1))),
];

#[test]
fn every_case_prints_what_is_expected() {
    let mut different = Vec::new();
    for case in cases() {
        let printed = diagnostic::render(&check(&case), Color::Never, 100);
        let expected = folder("tests/diagnostics").join(format!("{}.txt", case.name));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &printed).expect("the expected output can be written");
        }
        if !printed.contains(&format!("[{}]", case.code())) {
            different.push(format!("{}: {} is not in the output:\n{printed}", case.name, case.code()));
        } else if fs::read_to_string(&expected).ok().as_ref() != Some(&printed) {
            different.push(format!("{}: {} differs from:\n{printed}", case.name, expected.display()));
        }
    }
    assert!(different.is_empty(), "UPDATE_EXPECT=1 accepts what is printed:\n{}", different.join("\n"));
}

#[test]
fn every_code_has_a_case_and_a_page() {
    let codes: BTreeSet<String> = ALL.iter().map(|(code, _)| code.to_string()).collect();
    let shown: BTreeSet<String> = cases().iter().map(|case| case.code().to_owned()).collect();
    let mut pages: BTreeSet<String> = files("docs/errors", "md").iter().map(|path| stem(path)).collect();
    pages.remove("README");
    let expected = files("tests/diagnostics", "txt").iter().map(|path| stem(path)).collect::<BTreeSet<_>>();
    let named: BTreeSet<String> = cases().into_iter().map(|case| case.name).collect();
    assert_eq!(codes.difference(&shown).collect::<Vec<_>>(), [""; 0], "codes without a case in tests/diagnostics/");
    assert_eq!(codes.difference(&pages).collect::<Vec<_>>(), [""; 0], "codes without a page in docs/errors/");
    assert_eq!(shown.difference(&codes).collect::<Vec<_>>(), [""; 0], "cases without a code");
    assert_eq!(pages.difference(&codes).collect::<Vec<_>>(), [""; 0], "pages without a code");
    assert_eq!(expected.difference(&named).collect::<Vec<_>>(), [""; 0], "expected outputs without a case");
}

#[test]
fn the_index_of_pages_lists_every_code() {
    let mut index = String::from(
        "# Diagnostics\n\nWhat `lockstep check` has to say, by code. Errors end at LS0899, warnings begin at LS0900.\n\n",
    );
    for (code, title) in ALL {
        let _ = writeln!(index, "- [{code}]({code}.md): {title}");
    }
    let path = folder("docs/errors").join(INDEX);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &index).expect("the index can be written");
    }
    assert_eq!(fs::read_to_string(&path).expect("there is an index"), index, "UPDATE_EXPECT=1 writes the index anew");
}

#[test]
fn every_page_has_its_title_an_example_and_a_remedy() {
    for (code, title) in ALL {
        let page = fs::read_to_string(folder("docs/errors").join(format!("{code}.md"))).expect("every code has a page");
        assert!(
            page.starts_with(&format!("# {code}: {title}\n\n")),
            "{code}: the page begins with `# {code}: {title}`"
        );
        assert!(page.contains("\n```yaml\n"), "{code}: the page shows an example");
        assert!(page.contains("\n## How to mend it\n"), "{code}: the page has a section `How to mend it`");
    }
}

/// The page that lists the others.
const INDEX: &str = "README.md";

struct Case {
    /// `LSnnnn-what-it-shows`.
    name: String,
    content: Vec<u8>,
}

impl Case {
    /// Whether it is a file of tests, called `LSnnnn-what-it-shows.test.yaml`.
    fn is_test(&self) -> bool {
        self.name.split('.').nth(1) == Some("test")
    }

    fn code(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }
}

/// What `check` has to say about the case: errors, or the warnings of a runbook that could run; what `test` has to say
/// about one that is called `*.test.yaml` and tests `files/tested.yaml`.
fn check(case: &Case) -> Vec<Diagnostic> {
    if case.is_test() {
        return check_test(case).unwrap_or_else(|diagnostics| diagnostics);
    }
    let compiled = yaml::decode(&format!("{}.yaml", case.name), &case.content)
        .and_then(|source| lockstep_dsl::compile(&source, &Beside, &lockstep_stdlib::sandbox()));
    match compiled {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    }
}

fn check_test(case: &Case) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let sandbox = lockstep_stdlib::sandbox();
    let tested = fs::read(folder("tests/diagnostics/files/tested.yaml")).expect("there is a runbook to test");
    let graph = lockstep_dsl::compile(&yaml::decode("tested.yaml", &tested)?, &Beside, &sandbox)?.graph;
    let source = yaml::decode(&format!("{}.yaml", case.name), &case.content)?;
    Ok(test_file::check(&test_file::read(&source, &sandbox)?, &source, &graph))
}

/// The files that cases name: those in `tests/diagnostics/files/`.
struct Beside;

impl Files for Beside {
    fn read(&self, relative: &str) -> Result<FileContent, FileError> {
        let path = folder("tests/diagnostics/files").join(relative);
        if path.is_dir() {
            return Err(FileError::NotAFile);
        }
        let bytes = fs::read(path).map_err(|_| FileError::NotFound)?;
        Ok(FileContent { bytes, executable: false })
    }

    fn library(&self, relative: &str, _: &str) -> Result<FileContent, FileError> {
        self.read(relative)
    }
}

fn cases() -> Vec<Case> {
    let read = |path: PathBuf| Case { name: stem(&path), content: fs::read(&path).expect("a case can be read") };
    let generated =
        GENERATED.iter().map(|(name, make)| Case { name: (*name).to_owned(), content: make().into_bytes() });
    files("tests/diagnostics", "yaml").into_iter().map(read).chain(generated).collect()
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(path: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(path))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
}
