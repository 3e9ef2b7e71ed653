//! Shops on the node: document roots of the web servers, and installations that lie beside them.

use headroom_core::advise::parse::webserver::{self, Site};

use super::root::Root;

/// Configuration of nginx and Apache.
const CONFIGS: [&str; 9] = [
    "/etc/nginx/nginx.conf",
    "/etc/nginx/conf.d/*.conf",
    "/etc/nginx/sites-enabled/*",
    "/etc/nginx/vhosts.d/*.conf",
    "/etc/apache2/sites-enabled/*",
    "/etc/apache2/conf.d/*.conf",
    "/etc/httpd/conf/httpd.conf",
    "/etc/httpd/conf.d/*.conf",
    "/data/web/nginx/*.conf",
];

/// Folders in which installations lie.
const FOLDERS: [&str; 8] = [
    "/var/www/*",
    "/var/www/*/htdocs",
    "/srv/*",
    "/srv/www/*",
    "/home/*/public_html",
    "/home/*/domains/*/public_html",
    "/data/web/*",
    "/opt/*/htdocs",
];

/// What only a shop's or a site's own folder has: Magento, Shopware and Symfony, WordPress, Laravel,
/// PrestaShop, Drupal.
const MARKERS: [&str; 6] = [
    "app/etc/env.php",
    "bin/console",
    "wp-config.php",
    "artisan",
    "config/settings.inc.php",
    "sites/default/settings.php",
];

/// All of them, each once.
pub(super) fn gather(root: &Root) -> Vec<Site> {
    let mut found: Vec<Site> = Vec::new();
    for path in CONFIGS.iter().flat_map(|pattern| root.glob(pattern)) {
        let Some(text) = root.maybe(&path) else { continue };
        for site in webserver::sites(&path, &text) {
            if !found.iter().any(|known| known.root == site.root)
                && !is_placeholder(root, &site.root)
            {
                found.push(site);
            }
        }
    }
    for folder in FOLDERS.iter().flat_map(|pattern| root.glob(pattern)) {
        let marker = MARKERS.iter().find(|marker| root.has(&format!("{folder}/{marker}")));
        let is_known = found
            .iter()
            .any(|site| site.root == folder || site.root.starts_with(&format!("{folder}/")));
        if let Some(marker) = marker.filter(|_| !is_known) {
            let at = format!("{folder}/{marker}");
            found.push(Site { root: folder, names: Vec::new(), at });
        }
    }
    found
}

/// The page a distribution puts there: nothing but an index in plain HTML.
fn is_placeholder(root: &Root, folder: &str) -> bool {
    folder == "/var/www/html"
        && root.names(folder).is_ok_and(|names| {
            names.iter().all(|name| name.starts_with("index") && !name.ends_with(".php"))
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn roots_and_installations_beside_them_are_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(
            "etc/nginx/sites-enabled/shop",
            "server {\nroot /var/www/shop/pub;\n}\nserver {\nroot /var/www/html;\n}\n",
        );
        put("var/www/html/index.nginx-debian.html", "");
        put("var/www/shop/app/etc/env.php", "");
        put("var/www/staging/app/etc/env.php", "");
        let roots: Vec<_> =
            gather(&Root::new(folder.path())).into_iter().map(|site| site.root).collect();
        assert_eq!(roots, ["/var/www/shop/pub", "/var/www/staging"]);
    }
}
