//! Work that several ask for at once is done once, and goes on when they have gone away.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What is under way, by what it is.
#[derive(Debug)]
pub(crate) struct Once<K, V> {
    running: Arc<Mutex<HashMap<K, watch::Receiver<Option<V>>>>>,
}

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self { running: Arc::default() }
    }
}

fn all<K, V>(running: &Mutex<HashMap<K, V>>) -> MutexGuard<'_, HashMap<K, V>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V> Once<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Starts the work, or joins it when it is under way. Returns what came of it and whether it was
    /// joined; `None` when it came to nothing, which is a bug that was said on the log.
    pub(crate) async fn run<F>(&self, key: K, work: impl FnOnce() -> F) -> Option<(V, bool)>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (mut result, joined) = {
            let mut running = all(&self.running);
            if let Some(result) = running.get(&key) {
                (result.clone(), true)
            } else {
                let (say, result) = watch::channel(None);
                running.insert(key.clone(), result.clone());
                // Taken out by its end whatever that is.
                let entry = Entry { running: Arc::clone(&self.running), key };
                let work = work();
                tokio::spawn(async move {
                    let done = work.await;
                    drop(entry);
                    // Nobody may wait any more.
                    let _ = say.send(Some(done));
                });
                (result, false)
            }
        };
        let done = result.wait_for(Option::is_some).await.ok()?.clone();
        done.map(|done| (done, joined))
    }
}

struct Entry<K: Eq + Hash, V> {
    running: Arc<Mutex<HashMap<K, watch::Receiver<Option<V>>>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Entry<K, V> {
    fn drop(&mut self) {
        all(&self.running).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn many_at_once_are_one_and_the_next_is_another() {
        let once: Arc<Once<&str, u32>> = Arc::default();
        let (count, open) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (once, count, open) = (Arc::clone(&once), Arc::clone(&count), Arc::clone(&open));
            tokio::spawn(async move {
                once.run("mysql", || async move {
                    open.notified().await;
                    count.fetch_add(1, Ordering::SeqCst) + 1
                })
                .await
            })
        };
        let asked: Vec<_> = (0..8).map(|_| ask()).collect();
        // All of them have asked when the spawned tasks have run so far.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        open.notify_one();
        let mut joined = 0;
        for one in asked {
            let (value, was_joined) = one.await.unwrap().unwrap();
            assert_eq!(value, 1);
            joined += u32::from(was_joined);
        }
        assert_eq!(joined, 7);
        open.notify_one();
        assert_eq!(ask().await.unwrap(), Some((2, false)));
    }

    #[tokio::test]
    async fn work_goes_on_when_its_asker_has_gone_away() {
        let once: Arc<Once<u8, u8>> = Arc::default();
        let (open, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (waits, says) = (Arc::clone(&open), Arc::clone(&done));
        let asker = Arc::clone(&once);
        let asker = tokio::spawn(async move {
            asker
                .run(1, || async move {
                    waits.notified().await;
                    says.notify_one();
                    7
                })
                .await
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        asker.abort();
        let _ = asker.await;
        open.notify_one();
        done.notified().await;
    }
}
