//! Document roots in the configuration of nginx and Apache.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{numbered, unquoted};

/// A site a web server serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Its document root, absolute.
    pub root: String,
    /// The host names it answers to, as far as they stand beside the root.
    pub names: Vec<String>,
    /// Where the root is named.
    pub at: String,
}

/// Document roots of a file with the names of the server or virtual host they stand in. Roots made of
/// variables are left out.
#[must_use]
pub fn sites(path: &str, text: &str) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    // Sites of the host whose names may still come.
    let mut first = 0;
    for (number, line) in numbered(text) {
        let line = line.trim().split('#').next().unwrap_or_default().trim();
        let line = line.trim_end_matches([';', '{']).trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "server" | "<VirtualHost" => {
                names.clear();
                first = sites.len();
            }
            "server_name" | "ServerName" | "ServerAlias" => {
                names.extend(rest.split_whitespace().map(ToString::to_string));
                for site in sites.iter_mut().skip(first) {
                    site.names.clone_from(&names);
                }
            }
            "root" | "DocumentRoot" => {
                let root = unquoted(rest).trim_end_matches('/');
                let is_known = sites.iter().skip(first).any(|site| site.root == root);
                if root.starts_with('/') && !root.contains('$') && !is_known {
                    sites.push(Site {
                        root: root.to_string(),
                        names: names.clone(),
                        at: format!("{path}:{number}"),
                    });
                }
            }
            _ => {}
        }
    }
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_servers_roots_are_found_with_their_names() {
        let nginx = "server {\n  root /var/www/shop/pub; # x\n  server_name shop.example;\n}\n\
                     server {\n  server_name staging.shop.example;\n  root $base/pub;\n  root /srv/staging/;\n}\n";
        let found = sites("/n", nginx);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].root.as_str(), found[0].at.as_str()), ("/var/www/shop/pub", "/n:2"));
        assert_eq!(found[0].names, ["shop.example"]);
        assert_eq!(
            (found[1].root.as_str(), &found[1].names[..]),
            ("/srv/staging", &["staging.shop.example".to_string()][..])
        );
        let apache = "<VirtualHost *:80>\nServerName a.example\nDocumentRoot \"/var/www/a\"\n</VirtualHost>\n";
        assert_eq!(sites("/a", apache)[0].root, "/var/www/a");
    }
}
