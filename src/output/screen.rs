//! The part of a terminal that is drawn again and again: the lines below everything that was printed for good.
//!
//! The terminal may change its width at any time. Most then wrap the lines that stand there already, so what has to be
//! cleared is counted anew with the width of the moment.

use std::env;
use std::io::{self, Write};

use rustix::termios::tcgetwinsize;

use super::text::width;

/// What is drawn at the bottom of standard output.
#[derive(Debug, Default)]
pub struct Screen {
    /// The widths of the lines that stand there, in columns.
    drawn: Vec<usize>,
}

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

impl Size {
    /// The size of the terminal on standard output; 80 by 24 where it does not say.
    pub fn now() -> Self {
        let known = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        known.map_or(Self { columns: 80, rows: 24 }, |size| Self {
            columns: usize::from(size.ws_col),
            rows: usize::from(size.ws_row),
        })
    }
}

impl Screen {
    /// Draws lines in place of those that stand there.
    pub fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut out = self.clearing();
        for line in lines {
            out.push_str(line);
            out.push_str("\x1b[K\n");
        }
        self.drawn = lines.iter().map(|line| painted_width(line)).collect();
        write(&out)
    }

    /// Prints text for good, above what is drawn; that is drawn again below it the next time.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        let mut out = self.clearing();
        self.drawn.clear();
        for line in text.lines() {
            out.push_str(line);
            out.push('\n');
        }
        write(&out)
    }

    /// What goes to the terminal to take away the lines that stand there.
    fn clearing(&self) -> String {
        let columns = Size::now().columns;
        let rows: usize = self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        if rows == 0 { String::new() } else { format!("\x1b[{rows}A\r\x1b[J") }
    }
}

/// Whether the terminal shows more than ASCII, by the locale.
pub fn is_unicode() -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| env::var(name).ok().filter(|it| !it.is_empty()));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// How many columns a painted line takes.
fn painted_width(line: &str) -> usize {
    width(&super::text::harmless_line(line))
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
