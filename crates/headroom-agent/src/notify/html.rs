//! A notice as HTML: a mail's second form, for those whose mail program shows no plain text well. No
//! picture, no script, no link: nothing is fetched from anywhere and nothing leads anywhere.

use headroom_api::notice::{Notice, NoticeKind};
use headroom_core::text::escaped;
use headroom_core::words::notice as words;

/// The whole document. Styles stand in the elements, since mail programs drop style sheets.
pub(super) fn document(notice: &Notice) -> String {
    let bar = match notice.kind {
        NoticeKind::Opened | NoticeKind::Ongoing => "#b3261e",
        NoticeKind::Closed => "#2e7d32",
        NoticeKind::Digest | NoticeKind::Summary => "#b26a00",
        NoticeKind::Test => "#1f5f99",
    };
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\n\
         <body style=\"margin:0;padding:16px;background:#f4f4f2;color:#1d1d1b;\
         font:15px/1.5 -apple-system,Segoe UI,Helvetica,Arial,sans-serif\">\n\
         <div style=\"max-width:640px;margin:0 auto;background:#ffffff;border-top:4px solid {bar};\
         padding:20px 24px\">\n\
         <h1 style=\"font-size:18px;line-height:1.3;margin:0 0 8px\">{title}</h1>\n\
         <p style=\"margin:0 0 16px\">{state}</p>\n",
        title = escaped(&notice.title),
        state = escaped(&notice.state),
    );
    if !notice.explanation.is_empty() {
        out.push_str("<ul style=\"margin:0 0 16px;padding-left:20px\">\n");
        for line in &notice.explanation {
            out.push_str(&format!(
                "<li style=\"margin:0 0 4px;overflow-wrap:anywhere\">{}</li>\n",
                escaped(line)
            ));
        }
        out.push_str("</ul>\n");
    }
    if let Some(gathered) = &notice.gathered {
        if let Some(omitted) = words::omitted(gathered.omitted) {
            out.push_str(&format!("<p style=\"margin:0 0 8px\">{}</p>\n", escaped(&omitted)));
        }
        out.push_str(
            "<table role=\"presentation\" style=\"border-collapse:collapse;margin:0 0 16px\">\n",
        );
        for incident in &gathered.listed {
            out.push_str(&format!(
                "<tr><td style=\"padding:4px 0;border-bottom:1px solid #e4e4e0;\
                 overflow-wrap:anywhere\">{}<br>\
                 <span style=\"color:#5f5f5a;font-size:13px\">{}</span></td></tr>\n",
                escaped(&incident.title),
                escaped(&incident.state)
            ));
        }
        out.push_str("</table>\n");
    }
    if !notice.look_further.is_empty() {
        out.push_str(&format!(
            "<p style=\"margin:0 0 8px;font-weight:600\">{}</p>\n",
            words::LOOK_FURTHER
        ));
        for line in &notice.look_further {
            out.push_str(&format!(
                "<p style=\"margin:0 0 8px\"><code style=\"display:inline-block;background:#f0f0ec;\
                 padding:2px 6px;font:13px/1.5 Menlo,Consolas,monospace\">{}</code><br>\
                 <span style=\"color:#5f5f5a;font-size:13px\">{}</span></p>\n",
                escaped(&line.command),
                escaped(&line.shows)
            ));
        }
    }
    if let Some(note) = &notice.note {
        out.push_str(&format!("<p style=\"margin:16px 0 0\">{}.</p>\n", escaped(note)));
    }
    let incident = notice.incident.as_ref().map(|incident| incident.id.as_str());
    out.push_str(&format!(
        "<p style=\"margin:16px 0 0;color:#5f5f5a;font-size:13px\">{}</p>\n</div>\n</body></html>\n",
        escaped(&words::signature(&notice.node, incident))
    ));
    out
}
