//! What came of cases, in the form that `JUnit` made common.

use std::fmt::Write as _;

use super::report::SuiteOutcome;

/// One `testsuite` a file, one `testcase` a case.
pub fn document(outcomes: &[SuiteOutcome]) -> String {
    let cases: usize = outcomes.iter().map(|outcome| outcome.cases.len()).sum();
    let failed: usize = outcomes.iter().map(SuiteOutcome::failed).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites name=\"lockstep test\" tests=\"{cases}\" failures=\"{failed}\">");
    for outcome in outcomes {
        let took: u64 = outcome.cases.iter().map(|case| case.took).sum();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" file=\"{}\" tests=\"{}\" failures=\"{}\" time=\"{}\">",
            escape(&outcome.runbook),
            escape(&outcome.file),
            outcome.cases.len(),
            outcome.failed(),
            seconds(took),
        );
        for case in &outcome.cases {
            let _ = write!(
                text,
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{}\"",
                escape(&outcome.runbook),
                escape(&case.name),
                escape(&outcome.file),
                case.line,
                seconds(case.took),
            );
            let Some(first) = case.differences.first() else {
                text.push_str("/>\n");
                continue;
            };
            let message = escape(first.lines().next().unwrap_or_default());
            let all = escape(&case.differences.join("\n"));
            let _ = writeln!(text, ">\n      <failure message=\"{message}\">{all}</failure>\n    </testcase>");
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// Text as XML takes it; characters that it cannot hold are replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_cases_say_is_xml() {
        assert_eq!(escape("a <b> & \"c\"\n\x1b[0m"), "a &lt;b&gt; &amp; &quot;c&quot;\n\u{fffd}[0m");
    }
}
