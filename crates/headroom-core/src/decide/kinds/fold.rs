//! What varies between two runs of the same job, taken out of its command line.

/// Directories in which a name says nothing: what is made there is called anew each time.
const TEMPORARY: [&[u8]; 4] = [b"/tmp/", b"/var/tmp/", b"/dev/shm/", b"/run/user/"];
/// What ends a path on a command line.
const ENDS: &[u8] = b" \t\n\"':;,=|&<>()";
/// A word of hexadecimal digits at least this long, one of them a figure, is a digest or a revision.
const HEX: usize = 7;
/// A word at least this long with this many figures is a token.
const TOKEN: usize = 16;
const TOKEN_FIGURES: usize = 3;

/// Hands on the bytes of a command line with each number, digest, UUID and token as `#` and each
/// temporary path as its directory and `*`.
pub(super) fn fold(command: &[u8], put: &mut dyn FnMut(u8)) {
    let mut at = 0;
    while let Some(rest) = command.get(at..).filter(|rest| !rest.is_empty()) {
        let begins = at == 0 || ENDS.contains(&command[at - 1]);
        let temporary = TEMPORARY.iter().find(|dir| begins && rest.starts_with(dir));
        if let Some(dir) = temporary {
            let path = length_of(rest, |b| !ENDS.contains(&b));
            dir.iter().for_each(|b| put(*b));
            if path > dir.len() {
                put(b'*');
            }
            at += path;
        } else if is_uuid(rest) {
            put(b'#');
            at += UUID.len();
        } else if rest[0].is_ascii_alphanumeric() {
            let word = &rest[..length_of(rest, |b| b.is_ascii_alphanumeric())];
            fold_word(word, put);
            at += word.len();
        } else {
            put(rest[0]);
            at += 1;
        }
    }
}

fn fold_word(word: &[u8], put: &mut dyn FnMut(u8)) {
    let figures = word.iter().filter(|b| b.is_ascii_digit()).count();
    let is_digest = word.len() >= HEX && figures > 0 && word.iter().all(u8::is_ascii_hexdigit);
    if is_digest || (word.len() >= TOKEN && figures >= TOKEN_FIGURES) {
        return put(b'#');
    }
    let mut in_number = false;
    for &byte in word {
        let digit = byte.is_ascii_digit();
        if !(digit && in_number) {
            put(if digit { b'#' } else { byte });
        }
        in_number = digit;
    }
}

const UUID: &[u8] = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

fn is_uuid(text: &[u8]) -> bool {
    text.len() >= UUID.len()
        && text.iter().zip(UUID).all(|(b, form)| match form {
            b'x' => b.is_ascii_hexdigit(),
            _ => b == form,
        })
}

fn length_of(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|b| !belongs(*b)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn folded(command: &str) -> String {
        let mut bytes = Vec::new();
        fold(command.as_bytes(), &mut |b| bytes.push(b));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_digests_tokens_and_temporary_paths_do_not_make_another_kind() {
        for (command, kind) in [
            ("php import.php --batch 17", "php import.php --batch #"),
            ("php import.php --batch 180000", "php import.php --batch #"),
            ("php import.php --batch x", "php import.php --batch x"),
            ("/srv/releases/20261124101500/bin/magento", "/srv/releases/#/bin/magento"),
            ("/srv/3f2a91c/bin/x", "/srv/#/bin/x"),
            ("decade facade", "decade facade"),
            ("x --id 550e8400-e29b-41d4-a716-446655440000 y", "x --id # y"),
            ("sh /tmp/tmp.Xq8vRb2/run.sh --all", "sh /tmp/* --all"),
            ("x --out=/var/tmp/a,/dev/shm/b /tmp/", "x --out=/var/tmp/*,/dev/shm/* /tmp/"),
            ("tar /home/app/tmp/x", "tar /home/app/tmp/x"),
            ("w --token=aB3dE5gH7jK9mN1pQ", "w --token=#"),
            ("php8.2 -d memory_limit=2G", "php#.# -d memory_limit=#G"),
            ("", ""),
        ] {
            assert_eq!(folded(command), kind, "{command}");
            assert_eq!(folded(kind), kind, "folding {kind} again");
        }
    }

    #[test]
    fn any_bytes_fold_to_no_more_than_they_were() {
        for seed in 0..2000_u32 {
            let bytes: Vec<u8> = (0..seed % 96)
                .map(|n| seed.wrapping_mul(2_654_435_761).rotate_left(n).to_le_bytes()[0])
                .collect();
            let mut length = 0;
            fold(&bytes, &mut |_| length += 1);
            assert!(length <= bytes.len());
        }
    }
}
