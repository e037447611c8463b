//! Shrinks a PNG or JPEG picture to at most 128 pixels on its longest side.
//!
//! Input: the picture, of any content type. Result: `image/png`.
//! A picture that is small enough keeps its size. One that cannot be decoded
//! fails permanently as `bad_image`.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use std::io::Cursor;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{self, Lease};
use flowhost::engine::log::{Level, log};
use flowhost::engine::types::{FailureClass, Payload};
use image::error::{LimitError, LimitErrorKind};
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult};

const LONGEST_SIDE_PX: u32 = 128;

/// Bound of a decoded picture. A file of a few kilobytes can unfold to
/// gigabytes; a failure with a code tells the author more than `memory_limit`.
const PIXEL_BYTES_MAX: u64 = 24 * 1024 * 1024;

struct Thumbnail;

impl Guest for Thumbnail {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let lease = claim::current();

        report(&lease, 0, "decoding");
        let picture = decode(&task.input.data).map_err(bad_image)?;

        report(&lease, 50, "resizing");
        let small = shrink(&picture);
        log(
            Level::Info,
            &format!(
                "{} x {} pixels became {} x {}",
                picture.width(),
                picture.height(),
                small.width(),
                small.height()
            ),
        );

        report(&lease, 90, "encoding");
        let data = encode(&small).map_err(bad_image)?;
        Ok(Outcome::Completed(Payload {
            content_type: "image/png".into(),
            data,
        }))
    }
}

/// Decodes a picture and rotates it by the orientation in its metadata.
fn decode(data: &[u8]) -> ImageResult<DynamicImage> {
    let mut decoder = ImageReader::new(Cursor::new(data))
        .with_guessed_format()?
        .into_decoder()?;
    if decoder.total_bytes() > PIXEL_BYTES_MAX {
        return Err(ImageError::Limits(LimitError::from_kind(
            LimitErrorKind::InsufficientMemory,
        )));
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn shrink(picture: &DynamicImage) -> DynamicImage {
    if picture.width().max(picture.height()) <= LONGEST_SIDE_PX {
        return picture.clone();
    }
    picture.resize(LONGEST_SIDE_PX, LONGEST_SIDE_PX, FilterType::Lanczos3)
}

fn encode(picture: &DynamicImage) -> ImageResult<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png)?;
    Ok(file.into_inner())
}

/// Publishes the progress. The result does not depend on it, so a refusal is logged
/// and ignored.
fn report(lease: &Lease, percent: u8, message: &str) {
    if let Err(error) = lease.progress(Some(percent), Some(message)) {
        log(Level::Warn, &format!("progress was not recorded: {error}"));
    }
}

fn bad_image(error: ImageError) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: "bad_image".into(),
        message: error.to_string(),
    }
}

export!(Thumbnail);
