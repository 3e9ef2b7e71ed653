//! Any bytes as what comes over a socket: the entry of the fuzz target and of the test that damages frames.

use headroom_api::frame;
use serde_json::Value;

/// Reads frames as a server and as a client do until there are no more.
pub(crate) fn framing(wire: &[u8]) {
    for cap in [frame::REQUEST_CAP, frame::ANSWER_CAP] {
        let mut from = wire;
        while !from.is_empty() {
            let before = from.len();
            match frame::read::<Value>(&mut from, cap) {
                Ok(value) => {
                    // What was read can be written and read again.
                    let mut again = Vec::new();
                    frame::write(&mut again, &value).expect("written into memory");
                    let read: Value =
                        frame::read(&mut &again[..], u32::MAX).expect("read as it was written");
                    assert_eq!(whole(read), whole(value));
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
            assert!(from.len() < before, "nothing was read, and reading went on");
        }
    }
}

/// The value without fractions, whose last digit may differ when they were written and read.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(values) => values.into_iter().map(whole).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, whole(value))).collect()
        }
        other => other,
    }
}
