//! `advise --html`: one page that needs nothing else, to be read, printed and handed on.

use std::fmt::Write;

use headroom_api::advise::{Advice, Advices};
use headroom_core::units::Kib;

use super::advise::{gives, risk, sure};
use super::harmless;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2329;--soft:#5c6873;--line:#d9dee3;--paper:#fff;--tint:#f3f5f7;--bar:#2f7d6d;--high:#b3402a}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5af;--line:#343c44;--paper:#15191d;--tint:#1e2429;--bar:#4fae9a;--high:#e58a72}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.6rem;margin:0 0 .25rem}
p.lead{color:var(--soft);margin:0 0 1.5rem}
table{border-collapse:collapse;width:100%;margin:0 0 2rem}
td,th{text-align:left;padding:.35rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.b{width:30%}
.bar{height:.8rem;background:var(--bar);border-radius:2px;min-width:2px;margin-top:.35rem}
article{border:1px solid var(--line);border-radius:8px;padding:1rem 1.25rem;margin:0 0 1rem;break-inside:avoid}
article h2{font-size:1.1rem;margin:0 0 .25rem;overflow-wrap:anywhere}
.about{color:var(--soft);margin:0 0 .75rem}
.about b{color:var(--ink)}
dl{display:grid;grid-template-columns:minmax(8rem,16rem) 1fr;gap:.25rem 1rem;margin:0 0 .75rem;font-size:.9rem}
dt{color:var(--soft);overflow-wrap:anywhere}
dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--tint);border-radius:6px;padding:.75rem;overflow-x:auto;font-size:.85rem;white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 .5rem}
.check{margin:0;font-size:.9rem}
.risk-high{color:var(--high)}
a{color:inherit}
@media(max-width:40rem){dl{grid-template-columns:1fr}dd{margin:0 0 .4rem}td.b{display:none}}
";

/// The page.
pub(crate) fn page(told: &Advices) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    // Nothing may be loaded, and nothing that was in a file of the node may run.
    out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    // Writing to a String cannot fail.
    let _ =
        write!(out, "<title>Headroom: what to change</title>\n<style>{STYLE}</style>\n<main>\n");
    out.push_str("<h1>What to change, by the memory it gives back</h1>\n");
    let ram = told.ram_kib.map(|ram| format!(" on this node of {}", Kib(ram))).unwrap_or_default();
    let count = match told.advices.len() {
        0 => "Nothing to advise: what was looked at fits".to_string(),
        1 => "One advice".to_string(),
        count => format!("{count} advices"),
    };
    let _ = writeln!(
        out,
        "<p class=\"lead\">{count}{ram}. Each stands for itself: what two of them give does not always add up.</p>"
    );
    if told.advices.len() > 1 {
        overview(&mut out, &told.advices);
    }
    for (advice, number) in told.advices.iter().zip(1..) {
        article(&mut out, advice, number);
    }
    if !told.unread.is_empty() {
        out.push_str("<h2>Not read or not understood</h2>\n<dl>\n");
        for unread in &told.unread {
            let _ =
                writeln!(out, "<dt>{}</dt><dd>{}</dd>", safe(&unread.source), safe(&unread.why));
        }
        out.push_str("</dl>\n");
    }
    out.push_str("</main>\n</html>\n");
    out
}

fn size(advice: &Advice) -> u64 {
    advice.saves_kib.max(advice.cuts_peak_kib).unwrap_or(0)
}

fn overview(out: &mut String, advices: &[Advice]) {
    let most = advices.iter().map(size).max().unwrap_or(0).max(1);
    out.push_str("<table>\n<tr><th>Advice</th><th>Gives back</th><th></th></tr>\n");
    for (advice, number) in advices.iter().zip(1..) {
        let kib = size(advice);
        let percent = kib.saturating_mul(100) / most;
        let shown = if kib == 0 { String::new() } else { Kib(kib).to_string() };
        let bar = if kib == 0 {
            String::new()
        } else {
            format!("<div class=\"bar\" style=\"width:{percent}%\"></div>")
        };
        let _ = writeln!(
            out,
            "<tr><td><a href=\"#a{number}\">{}</a></td><td class=\"n\">{shown}</td><td class=\"b\">{bar}</td></tr>",
            safe(&advice.title)
        );
    }
    out.push_str("</table>\n");
}

fn article(out: &mut String, advice: &Advice, number: usize) {
    let class = if risk(advice.risk) == "high risk" { " class=\"risk-high\"" } else { "" };
    let _ = write!(
        out,
        "<article id=\"a{number}\">\n<h2>{number}. {}</h2>\n<p class=\"about\"><b>{}</b> · {} · <span{class}>{}</span> · {}</p>\n<dl>\n",
        safe(&advice.title),
        safe(&gives(advice)),
        sure(advice.confidence),
        risk(advice.risk),
        safe(&advice.id)
    );
    for evidence in &advice.evidence {
        let _ =
            writeln!(out, "<dt>{}</dt><dd>{}</dd>", safe(&evidence.source), safe(&evidence.what));
    }
    let command: Vec<String> = advice.command.lines().map(safe).collect();
    let _ = write!(
        out,
        "</dl>\n<pre>{}</pre>\n<p class=\"check\">Check: {}</p>\n</article>\n",
        command.join("\n"),
        safe(&advice.check)
    );
}

/// Text that was in a file of the node, as text.
fn safe(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        match c {
            '&' => clean.push_str("&amp;"),
            '<' => clean.push_str("&lt;"),
            '>' => clean.push_str("&gt;"),
            '"' => clean.push_str("&quot;"),
            '\'' => clean.push_str("&#39;"),
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::advise::{self, Kind};

    #[test]
    fn what_a_node_is_called_cannot_run_in_the_page() {
        let mut advice = advise::Advice::of(Kind::TmpfsHeavy);
        advice.title = "<script>alert(1)</script>".into();
        advice.because("\"><img src=x>", "a & b");
        advice.command = "x <y> && z".into();
        let told = super::super::advise::told(&advise::Facts::default(), &[advice]);
        let page = page(&told);
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("x &lt;y&gt; &amp;&amp; z"));
        for outside in ["http://", "https://", "src=", "url("] {
            assert!(
                !page.replace("&quot;&gt;&lt;img src=x&gt;", "").contains(outside),
                "{outside}"
            );
        }
    }
}
