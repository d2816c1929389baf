//! Fenced blocks of a document, with what stands behind their language.

use std::collections::BTreeMap;

/// A fenced block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The line of the document on which its text begins, from 1.
    pub line: usize,
    /// The first word of its info string.
    pub language: String,
    /// Further words.
    pub words: Vec<String>,
    /// Further words of the form `key=value`.
    pub values: BTreeMap<String, String>,
    /// Its lines, without the indentation of its fence.
    pub text: String,
    /// How far its fence is indented.
    pub indent: usize,
}

impl Block {
    /// Whether a word stands in its info string.
    pub fn is(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }

    /// The value of a key in its info string.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

/// All blocks of a document, in order.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, Block)> = None;
    for (line, number) in document.lines().zip(1..) {
        let indent = line.len() - line.trim_start().len();
        let ticks = line.trim_start().bytes().take_while(|byte| *byte == b'`').count();
        open = match open {
            None if ticks >= 3 => Some((ticks, begin(line.trim_start().trim_start_matches('`'), number + 1, indent))),
            None => None,
            Some((fence, block)) if ticks >= fence && line.trim().len() == ticks => {
                blocks.push(block);
                None
            }
            Some((fence, mut block)) => {
                block.text.push_str(line.get(block.indent.min(indent)..).unwrap_or_default());
                block.text.push('\n');
                Some((fence, block))
            }
        };
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    blocks
}

fn begin(info: &str, line: usize, indent: usize) -> Block {
    let mut block = Block { line, indent, ..Block::default() };
    for (word, place) in info.split_whitespace().zip(0..) {
        match word.split_once('=') {
            _ if place == 0 => word.clone_into(&mut block.language),
            Some((key, value)) => {
                block.values.insert(key.to_owned(), value.to_owned());
            }
            None => block.words.push(word.to_owned()),
        }
    }
    block
}

#[test]
fn blocks_are_read_with_their_markers() {
    let document = "\
Text with `ticks` and ```three```.

```yaml runbook file=a.yaml
runbook: a
```
- in a list:

  ````text
  ```
  inner
  ```
  ````
";
    let read = blocks(document);
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].line, read[0].text.as_str()), (4, "runbook: a\n"));
    assert!(read[0].is("runbook") && read[0].value("file") == Some("a.yaml"));
    assert_eq!(read[1].text, "```\ninner\n```\n");
}
