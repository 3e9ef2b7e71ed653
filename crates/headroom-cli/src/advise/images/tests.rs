use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// The header of a PNG of that size, with so many bytes behind it.
fn png(width: u32, height: u32, rest: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 6, 0, 0, 0]);
    bytes.resize(bytes.len() + rest, 0);
    bytes
}

fn gif(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.resize(40_000, 0);
    bytes
}

/// A JPEG whose size stands behind a long comment, as cameras write theirs.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend([0xff, 0xe1, 0xea, 0x60]);
    bytes.resize(bytes.len() + 0xea60 - 2, 0);
    bytes.extend([0xff, 0xc0, 0, 17, 8]);
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend([3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
    bytes.resize(bytes.len() + 100_000, 0);
    bytes
}

fn search(mib: u64) -> Search {
    Search { limit: Kib::from_mib(mib), folders: Vec::new() }
}

#[test]
fn the_largest_come_first_and_only_those_over_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let www = folder.path().join("var/www/shop/media");
    fs::create_dir_all(&www).unwrap();
    fs::write(www.join("a.PNG"), png(8000, 6000, 50_000)).unwrap();
    fs::write(www.join("b.jpg"), jpeg(5000, 4000)).unwrap();
    fs::write(www.join("c.gif"), gif(3000, 3000)).unwrap();
    fs::write(www.join("d.gif"), gif(300, 300)).unwrap();
    fs::write(www.join("e.txt"), png(9000, 9000, 9)).unwrap();
    symlink(www.join("a.PNG"), www.join("link.png")).unwrap();
    symlink("..", www.join("up")).unwrap();
    let mut unread = Vec::new();
    let images = gather(&Root::new(folder.path()), &[], &search(32), &mut unread);
    let found: Vec<_> = images
        .largest
        .iter()
        .map(|image| (image.path.as_str(), image.width, image.decoded().0 / 1024))
        .collect();
    assert_eq!(
        found,
        [
            ("/var/www/shop/media/a.PNG", 8000, 183),
            ("/var/www/shop/media/b.jpg", 5000, 76),
            ("/var/www/shop/media/c.gif", 3000, 34),
        ]
    );
    assert_eq!((images.looked_at, images.over), (4, 3));
    assert_eq!(unread, []);
}

#[test]
fn real_images_of_all_formats_are_read_by_their_headers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images");
    for (name, width, height) in [
        ("a.jpg", 37, 21),
        ("a.png", 38, 22),
        ("a.gif", 39, 23),
        ("a.webp", 40, 24),
        ("lossless.webp", 41, 25),
        ("a.avif", 42, 26),
    ] {
        let Verdict::Image { width: w, height: h, .. } = verdict(&folder.join(name)) else {
            panic!("{name} was not read")
        };
        assert_eq!((w, h), (width, height), "{name}");
    }
}

#[test]
fn images_that_lie_are_said_and_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let www = folder.path().join("var/www");
    fs::create_dir_all(&www).unwrap();
    fs::write(www.join("bomb.png"), png(60_000, 60_000, 20)).unwrap();
    fs::write(www.join("page.jpg"), "<html>").unwrap();
    fs::write(www.join("empty.webp"), "").unwrap();
    fs::write(www.join("cut.png"), b"\x89PNG\r\n\x1a\n\0\0").unwrap();
    let mut unread = Vec::new();
    let images = gather(&Root::new(folder.path()), &[], &search(32), &mut unread);
    assert_eq!((images.looked_at, images.over), (4, 0));
    let said: Vec<_> = unread.iter().map(|u| (u.source.as_str(), u.why.as_str())).collect();
    assert_eq!(
        said,
        [
            ("/var/www/cut.png", "called an image and is none (and 2 more)"),
            (
                "/var/www/bomb.png",
                "claims more pixels than its bytes can hold: broken, or made to break decoders"
            ),
        ]
    );
}
