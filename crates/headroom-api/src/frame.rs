//! Framing on the sockets: a length in four bytes, big-endian, then that much JSON. Lengths over the
//! cap are refused before anything is read.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest request a server reads.
pub const REQUEST_CAP: u32 = 4 * 1024;
/// The longest answer a client reads: a rank list of ten thousand processes.
pub const ANSWER_CAP: u32 = 16 * 1024 * 1024;

/// Writes one value.
///
/// # Errors
///
/// What the writer says, or `InvalidInput` for a value too long for its length field.
pub fn write(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(value)?;
    let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "the message is too long");
    let length = u32::try_from(body.len()).map_err(too_long)?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(&body)?;
    to.flush()
}

/// Reads one value of at most `cap` bytes.
///
/// # Errors
///
/// What the reader says, `InvalidData` for a length over the cap or for JSON of another form.
pub fn read<T: DeserializeOwned>(from: &mut impl Read, cap: u32) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > cap {
        let message = format!("a message of {length} bytes, more than the {cap} that are read");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    // Grown as the bytes come, so that a length alone takes no memory.
    let mut body = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut body)?;
    serde_json::from_slice(&body).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut wire = Vec::new();
        write(&mut wire, &vec!["a", "b"]).unwrap();
        assert_eq!(read::<Vec<String>>(&mut &wire[..], REQUEST_CAP).unwrap(), ["a", "b"]);
    }

    #[test]
    fn lengths_over_the_cap_cut_frames_and_other_forms_are_refused() {
        let refused = |wire: &[u8]| read::<Vec<String>>(&mut &wire[..], 16).unwrap_err().kind();
        assert_eq!(refused(&[0xff; 8]), io::ErrorKind::InvalidData);
        assert_eq!(refused(&[0, 0, 0, 9, b'[']), io::ErrorKind::InvalidData);
        assert_eq!(refused(&[0, 0]), io::ErrorKind::UnexpectedEof);
        assert_eq!(refused(&[0, 0, 0, 2, b'{', b'}']), io::ErrorKind::InvalidData);
    }
}
