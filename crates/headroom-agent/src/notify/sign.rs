//! A webhook's signature, in the form of Standard Webhooks (standardwebhooks.com): libraries that verify
//! it are there for most languages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// The value of `webhook-signature` for a message with this id, time (seconds since 1970) and body.
///
/// # Errors
///
/// When the key begins with `whsec_` and is not base64 behind it.
pub(super) fn signature(key: &str, id: &str, seconds: i64, body: &[u8]) -> Result<String, String> {
    let key = match key.strip_prefix("whsec_") {
        Some(encoded) => STANDARD
            .decode(encoded)
            .map_err(|_| "the secret begins with whsec_ and is not base64 behind it".to_owned())?,
        None => key.as_bytes().to_vec(),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let mut signed = hmac::Context::with_key(&key);
    signed.update(format!("{id}.{seconds}.").as_bytes());
    signed.update(body);
    Ok(format!("v1,{}", STANDARD.encode(signed.sign())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_specifications_example() {
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            b"{\"test\": 2432232314}",
        );
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_of_any_text_signs_and_a_broken_one_is_said() {
        assert!(signature("any text", "id", 1, b"{}").unwrap().starts_with("v1,"));
        assert!(signature("whsec_!!", "id", 1, b"{}").unwrap_err().contains("not base64"));
    }
}
