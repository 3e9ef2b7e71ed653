//! `image-too-large`: images that take much memory the moment somebody resizes them.

use alloc::format;
use alloc::vec::Vec;

use crate::advise::facts::Facts;
use crate::advise::{Advice, Confidence, Kind, Risk};

/// So many are listed.
const LISTED: usize = 20;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let images = &facts.images;
    let Some(largest) = images.largest.first() else { return Vec::new() };
    let mut advice = Advice::of(Kind::ImageTooLarge);
    advice.title = match images.over {
        1 => format!("An image takes {} once decoded", largest.decoded()),
        over => format!(
            "{over} images take more than {} once decoded, up to {}",
            images.limit,
            largest.decoded()
        ),
    };
    for image in images.largest.iter().take(LISTED) {
        advice.because(
            image.path.clone(),
            format!(
                "{} x {} x 4 bytes = {}, {} on disk",
                image.width,
                image.height,
                image.decoded(),
                image.file
            ),
        );
    }
    if images.over > u64::try_from(LISTED).unwrap_or(0) {
        let more = images.over - u64::try_from(LISTED).unwrap_or(0);
        advice.because("the search", format!("{more} more among {} images", images.looked_at));
    }
    // One at a time, resized before it is put into the shop.
    advice.cuts_peak = Some(largest.decoded().saturating_sub(images.limit));
    // GD takes four bytes a pixel, ImageMagick eight: this much at the least.
    advice.confidence = Confidence::Medium;
    advice.risk = Risk::Medium;
    let side = side(images.limit.0);
    advice.command = format!(
        "keep the originals elsewhere, then for each: \
         vipsthumbnail FILE --size '{side}x{side}>' -o FILE\n(it reads line by line; \
         ImageMagick's mogrify decodes the whole of it)"
    );
    advice.check = "headroom advise finds no image any more".into();
    alloc::vec![advice]
}

/// The longest side of a square picture that stays within so many KiB, in steps of a hundred.
fn side(limit_kib: u64) -> u64 {
    let pixels = limit_kib.saturating_mul(1024 / 4);
    pixels.isqrt() / 100 * 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::facts::{Image, Images};
    use crate::units::Kib;

    #[test]
    fn the_largest_decides_and_comes_first() {
        let image = |width| Image { path: "/a.jpg".into(), width, height: 8000, file: Kib(900) };
        let images = Images {
            limit: Kib::from_mib(64),
            looked_at: 100,
            over: 2,
            largest: alloc::vec![image(8192), image(4096)],
        };
        let facts = Facts { images, ..Facts::default() };
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(250 - 64)));
        assert!(advice.evidence[0].what.starts_with("8192 x 8000 x 4 bytes = 250 MiB"));
        assert!(advice.command.contains("4000x4000"), "{}", advice.command);
        assert_eq!(advise(&Facts::default()), []);
    }
}
