//! Waits for a client program that asks a server, for a bounded time and a bounded answer.

use std::io::Read;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

/// A server that has not answered by then is busy with something else.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer is longer.
const LONGEST: u64 = 8 * 1024 * 1024;

/// What a client said.
pub(super) struct Answer {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) is_success: bool,
}

/// Waits for the end of a client whose output goes to pipes; one that takes too long is ended.
pub(super) fn finish(child: &mut Child) -> Result<Answer, String> {
    // Both ends are emptied while it runs, so that a full pipe cannot stop it.
    let reader = |stream: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(stream) = stream {
                // A stream that breaks off has said what it said.
                let _ = stream.take(LONGEST).read_to_end(&mut text);
            }
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let out = reader(child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>));
    let err = reader(child.stderr.take().map(|err| Box::new(err) as Box<dyn Read + Send>));
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(10)),
            result => {
                // It is ours and still there, or waiting for it failed: nothing else is left to do.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match result {
                    Err(error) => format!("its client: {error}"),
                    Ok(_) => format!("it does not answer within {} s", PATIENCE.as_secs()),
                });
            }
        }
    };
    let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    Ok(Answer { out, err, is_success: status.success() })
}
