//! Passwords in command lines made unreadable, before a command line leaves the node.
//!
//! A guess by nature: it knows the habits of the programs a web node runs. What it does not know it
//! leaves alone, which is why a node can be told to send no command lines at all.

use alloc::string::String;

/// What stands for a password.
const HIDDEN: &str = "***";

/// Words in an option's or a variable's name that say that its value is secret.
const SECRET: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api-key",
    "api_key",
    "apikey",
    "credential",
];

/// Programs whose `-p` is followed, without a blank, by a password (mysql(1)).
const SHORT_P: [&str; 2] = ["mysql", "mariadb"];

/// The command line, its arguments parted by single blanks, with what looks like a password replaced.
#[must_use]
pub fn command_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut short_p = false;
    let mut next_is_secret = false;
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 {
            out.push(' ');
        }
        let name = word.rsplit('/').next().unwrap_or(word);
        short_p |= SHORT_P.iter().any(|program| name.starts_with(program));
        if next_is_secret && !word.is_empty() && !word.starts_with('-') {
            out.push_str(HIDDEN);
            next_is_secret = false;
            continue;
        }
        next_is_secret = false;
        match word.split_once(['=', ':']).filter(|(key, _)| is_secret(key)) {
            Some((key, value)) if !value.is_empty() => {
                out.push_str(word.get(..=key.len()).unwrap_or(key));
                out.push_str(HIDDEN);
            }
            _ if short_p && is_short_password(word) => {
                out.push_str("-p");
                out.push_str(HIDDEN);
            }
            _ if word.starts_with("--") && is_secret(word) => {
                out.push_str(word);
                next_is_secret = true;
            }
            _ => without_userinfo(&mut out, word),
        }
    }
    out
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|word| name.contains(word))
}

/// `-psecret`, and neither `-p` alone nor `--port`.
fn is_short_password(word: &str) -> bool {
    word.len() > 2 && word.starts_with("-p")
}

/// `https://user:secret@host` without the secret.
fn without_userinfo(out: &mut String, word: &str) {
    let found = word.find("://").and_then(|scheme| {
        let authority = scheme + 3;
        let rest = word.get(authority..)?;
        let rest = rest.get(..rest.find('/').unwrap_or(rest.len()))?;
        let user = rest.rfind('@')?;
        let colon = rest.get(..user)?.find(':')?;
        Some((authority + colon + 1, authority + user))
    });
    match found.and_then(|(from, to)| word.get(..from).zip(word.get(to..))) {
        Some((before, after)) => {
            out.push_str(before);
            out.push_str(HIDDEN);
            out.push_str(after);
        }
        None => out.push_str(word),
    }
}

#[cfg(test)]
mod tests {
    use super::command_line;

    #[test]
    fn passwords_are_hidden_where_programs_take_them() {
        for (typed, shown) in [
            ("mysqldump -u root -pS3cret shop", "mysqldump -u root -p*** shop"),
            ("/usr/bin/mysql --password=S3cret -P 3306", "/usr/bin/mysql --password=*** -P 3306"),
            ("php cron.php --db-password S3cret run", "php cron.php --db-password *** run"),
            ("env API_TOKEN=abc php a.php", "env API_TOKEN=*** php a.php"),
            ("curl https://me:pw@example.org/x:y@z", "curl https://me:***@example.org/x:y@z"),
            ("rsync rsync://me:p@q@host/a", "rsync rsync://me:***@host/a"),
        ] {
            assert_eq!(command_line(typed), shown);
        }
    }

    #[test]
    fn what_is_no_password_stays_as_it_is() {
        for typed in [
            "php -d memory_limit=2G bin/magento import:run",
            "php-fpm: pool www",
            "mysql -p shop",
            "ssh -p2222 host",
            "curl https://example.org/a@b:c",
            "  two  blanks ",
            "",
            "--password",
            "--password --verbose",
        ] {
            assert_eq!(command_line(typed), typed);
        }
    }
}
