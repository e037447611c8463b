//! What this host remembers of API keys: for at most a second what the database said.
//!
//! A key that is not remembered, or not any more, is looked up. Lookups that come while one
//! runs are made together by the next, and a lookup also asks about the other keys that were
//! used since they were asked about last: so it is about one statement a second, however many
//! keys are in use and however many requests carry them. Keys that were never seen are
//! remembered as unknown, in bounded number, and are looked up after those that are known, and
//! together: a lookup of them alone is not sent sooner than some milliseconds after the last.
//! So guesses do not slow the others, and a thousand a second cost a hundred statements.
//!
//! A long request holds a receiver of its session. The keys of these are asked about as
//! often by [`Sessions::keep`], which tells the receiver when the key is gone or what it may
//! do has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Engine, Error, KeyHash};
use model::{Identity, Principal};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

use super::credentials::{Stay, VERIFIED_EVERY};

/// How long an answer of the database is used, from when it was asked.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Age from which an answer about a key in use is asked for again with others.
const WORN: Duration = Duration::from_millis(500);
/// Least pause between two lookups of keys of which none is known to be valid. It has to be
/// short, since one of them may be a valid key that is used for the first time.
const UNKNOWN_EVERY: Duration = Duration::from_millis(10);
/// Most keys that one statement asks about.
const ASKED_MAX: usize = 256;
/// Most keys that are remembered, and most that are waited for.
const KEYS_MAX: usize = 10_000;

/// What this host remembers of API keys.
#[derive(Default)]
pub struct Sessions(Arc<Mutex<Table>>);

/// A key that was valid when the database was asked.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The caller it is of.
    pub(super) identity: Arc<Identity>,
    /// Becomes true when the key is not valid any more, or allows something else; absent
    /// for a request that need not know.
    pub(super) gone: Option<watch::Receiver<bool>>,
}

type Answer = Result<Option<Session>, Error>;

#[derive(Default)]
struct Table {
    known: HashMap<KeyHash, Known>,
    waiting: HashMap<KeyHash, Vec<oneshot::Sender<Answer>>>,
    /// Whether a task looks up what is waited for.
    is_asking: bool,
    /// When a lookup was sent last.
    asked_at: Option<Instant>,
    /// Told when a known key begins to wait.
    known_waits: Arc<Notify>,
    swept_at: Option<Instant>,
}

struct Known {
    /// Absent for a key that is not valid.
    identity: Option<Arc<Identity>>,
    asked_at: Instant,
    /// Whether a request used it since.
    used: bool,
    gone: watch::Sender<bool>,
}

impl Known {
    /// Returns the session of a request, which holds the key if it may stay: from here on,
    /// so that the key is not forgotten before it waits.
    fn session(&self, stay: Stay) -> Option<Session> {
        Some(Session {
            identity: self.identity.clone()?,
            gone: (stay == Stay::Long).then(|| self.gone.subscribe()),
        })
    }

    /// Notes who the key is of now: the scopes that were computed stay with one who is the
    /// same.
    fn is_of(&mut self, principal: Option<Principal>) {
        let before = self.identity.as_deref().map(|it| &**it);
        if before == principal.as_ref() {
            return;
        }
        if before.is_some() {
            self.gone.send_replace(true);
            self.gone = watch::Sender::new(false);
        }
        self.identity = principal.map(|it| Arc::new(Identity::new(it)));
    }

    /// Whether a long request is open with it.
    fn is_held(&self) -> bool {
        self.gone.receiver_count() > 0
    }
}

impl Sessions {
    /// Returns the session of a key; `None` if the key is not valid.
    pub(super) async fn find(&self, engine: &Engine, key: &str, stay: Stay) -> Answer {
        let Some(hash) = KeyHash::of_any(key) else {
            return Ok(None);
        };
        if let Some(known) = self.0.lock().remembered(&hash) {
            return Ok(known.session(stay));
        }
        // Only what is not known: the hash of a text with a typing error is never known.
        if !KeyHash::is_well_formed(key) {
            return Ok(None);
        }
        let answer = {
            let mut table = self.0.lock();
            // It may have been learned since.
            if let Some(known) = table.remembered(&hash) {
                return Ok(known.session(stay));
            }
            if table.waiting.len() >= KEYS_MAX && !table.waiting.contains_key(&hash) {
                let detail = "too many keys are being looked up".to_owned();
                return Err(Error::Unavailable(detail));
            }
            if table.is_valid(&hash) {
                table.known_waits.notify_one();
            }
            let (sender, receiver) = oneshot::channel();
            table.waiting.entry(hash).or_default().push(sender);
            if !std::mem::replace(&mut table.is_asking, true) {
                tokio::spawn(ask(self.0.clone(), engine.clone()));
            }
            receiver
        };
        let ended = || Error::Unavailable("the lookup of a key ended early".to_owned());
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Asks again and again about the keys that long requests are open with.
    pub async fn keep(self: Arc<Self>, engine: Engine) {
        loop {
            tokio::time::sleep(VERIFIED_EVERY).await;
            let held = self.0.lock().held();
            for hashes in held.chunks(ASKED_MAX) {
                let asked_at = Instant::now();
                match engine.authenticate(hashes).await {
                    Ok(answers) => self.0.lock().learn(hashes, answers, asked_at),
                    // Without the database nothing can be done with the key either.
                    Err(error) => tracing::warn!(%error, "keys in use could not be checked"),
                }
            }
        }
    }
}

/// Looks up what is waited for, until nothing is.
async fn ask(table: Arc<Mutex<Table>>, engine: Engine) {
    /// Has those who wait told when a panic ends the task.
    struct OnPanic(Option<Arc<Mutex<Table>>>);
    impl Drop for OnPanic {
        fn drop(&mut self) {
            if let Some(table) = self.0.take() {
                let mut table = table.lock();
                table.is_asking = false;
                table.waiting.clear();
            }
        }
    }
    let mut on_panic = OnPanic(Some(table.clone()));
    let known_waits = table.lock().known_waits.clone();
    loop {
        let pause = table.lock().pause();
        if let Some(pause) = pause {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = known_waits.notified() => {}
            }
        }
        let hashes = {
            let mut table = table.lock();
            let hashes = table.next_asked();
            if hashes.is_empty() {
                // Under the lock, so that no request begins to wait unnoticed.
                table.is_asking = false;
                on_panic.0 = None;
                return;
            }
            table.asked_at = Some(Instant::now());
            hashes
        };
        let asked_at = Instant::now();
        let answers = engine.authenticate(&hashes).await;
        let mut table = table.lock();
        match answers {
            Ok(answers) => table.learn(&hashes, answers, asked_at),
            Err(error) => table.fail(&hashes, &error),
        }
    }
}

impl Table {
    /// Returns what the database said of a key less than [`REMEMBERED`] ago, for a request
    /// that uses it.
    fn remembered(&mut self, hash: &KeyHash) -> Option<&Known> {
        let known = self.known.get_mut(hash)?;
        if known.asked_at.elapsed() >= REMEMBERED {
            return None;
        }
        known.used = true;
        Some(known)
    }

    /// Returns whether the database said of a key that it is valid.
    fn is_valid(&self, hash: &KeyHash) -> bool {
        let known = self.known.get(hash);
        known.is_some_and(|known| known.identity.is_some())
    }

    /// Returns how long the next lookup has to wait for others; `None` if it has not.
    fn pause(&self) -> Option<Duration> {
        let left = UNKNOWN_EVERY.checked_sub(self.asked_at?.elapsed())?;
        let has_room = self.waiting.len() < ASKED_MAX;
        let all_unknown = has_room && !self.waiting.keys().any(|hash| self.is_valid(hash));
        all_unknown.then_some(left)
    }

    /// Returns the keys to ask about now: those that are waited for, known ones first, and
    /// with them those in use whose answers are worn. None if no request waits.
    fn next_asked(&mut self) -> Vec<KeyHash> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let waiting = self.waiting.keys().copied();
        let (mut hashes, others): (Vec<KeyHash>, Vec<KeyHash>) =
            waiting.partition(|hash| self.is_valid(hash));
        hashes.extend(others);
        hashes.truncate(ASKED_MAX);
        let room = ASKED_MAX - hashes.len();
        let worn = self.known.iter().filter(|(hash, known)| {
            let is_used = known.identity.is_some() && (known.used || known.is_held());
            is_used && known.asked_at.elapsed() >= WORN && !self.waiting.contains_key(*hash)
        });
        let worn: Vec<KeyHash> = worn.map(|(hash, _)| *hash).take(room).collect();
        hashes.extend(worn);
        hashes
    }

    /// Returns the keys that long requests are open with and whose answers are worn.
    fn held(&self) -> Vec<KeyHash> {
        let held = self.known.iter().filter(|(_, known)| {
            known.identity.is_some() && known.is_held() && known.asked_at.elapsed() >= WORN
        });
        held.map(|(hash, _)| *hash).collect()
    }

    /// Notes what the database says, and answers those who wait for it.
    fn learn(&mut self, hashes: &[KeyHash], answers: Vec<Option<Principal>>, asked_at: Instant) {
        self.sweep();
        for (hash, principal) in hashes.iter().zip(answers) {
            let is_full = self.known.len() >= KEYS_MAX;
            let known = match self.known.get_mut(hash) {
                // A lookup that was sent earlier says nothing new.
                Some(known) if known.asked_at > asked_at => known,
                Some(known) => {
                    known.is_of(principal);
                    known.asked_at = asked_at;
                    known.used = false;
                    known
                }
                // A valid key is always kept, so that it can end: there are only so many.
                None if is_full && principal.is_none() => {
                    self.answer(hash, &Ok(None));
                    continue;
                }
                None => self.known.entry(*hash).or_insert(Known {
                    identity: principal.map(|it| Arc::new(Identity::new(it))),
                    asked_at,
                    used: false,
                    gone: watch::Sender::new(false),
                }),
            };
            let waits = self.waiting.remove(hash).unwrap_or_default();
            known.used |= !waits.is_empty();
            for sender in waits {
                // Who went away meanwhile needs no answer.
                let _ = sender.send(Ok(known.session(Stay::Long)));
            }
        }
    }

    /// Answers those who wait for keys that could not be looked up.
    fn fail(&mut self, hashes: &[KeyHash], error: &Error) {
        for hash in hashes {
            self.answer(hash, &Err(error.clone()));
        }
    }

    fn answer(&mut self, hash: &KeyHash, answer: &Answer) {
        for sender in self.waiting.remove(hash).unwrap_or_default() {
            let _ = sender.send(answer.clone());
        }
    }

    /// Forgets keys that are neither in use nor remembered, once a second or when there are
    /// too many.
    fn sweep(&mut self) {
        let is_due = self.swept_at.is_none_or(|at| at.elapsed() >= REMEMBERED);
        if is_due || self.known.len() >= KEYS_MAX {
            self.known
                .retain(|_, known| known.is_held() || known.asked_at.elapsed() < REMEMBERED);
            self.swept_at = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(count: usize) -> Vec<KeyHash> {
        let keys = engine::bench::unknown_keys(count);
        keys.iter().map(engine::ApiKeyText::hash).collect()
    }

    #[test]
    fn only_a_lookup_of_unknown_keys_alone_waits_for_others() {
        let mut table = Table::default();
        let [unknown, valid] = hashes(2)[..] else {
            panic!("two were drawn");
        };
        table.waiting.insert(unknown, Vec::new());
        assert_eq!(table.pause(), None, "the first");
        // A lookup that was sent just now, however slow this test is.
        table.asked_at = Some(Instant::now() + REMEMBERED);
        assert_eq!(table.pause(), Some(UNKNOWN_EVERY));
        let principal = Some(Principal::anybody());
        table.learn(&[valid], vec![principal], Instant::now());
        table.waiting.insert(valid, Vec::new());
        assert_eq!(table.pause(), None, "a known one waits as well");
        table.waiting.remove(&valid);
        for hash in hashes(ASKED_MAX) {
            table.waiting.insert(hash, Vec::new());
        }
        assert_eq!(table.pause(), None, "a lookup can have no more");
    }

    #[test]
    fn only_a_request_that_may_stay_holds_its_key() {
        let mut table = Table::default();
        let [key] = hashes(1)[..] else {
            panic!("one was drawn");
        };
        table.learn(&[key], vec![Some(Principal::anybody())], Instant::now());
        let known = table.remembered(&key).expect("just learned");
        let short = known.session(Stay::Short).expect("valid");
        assert!(short.gone.is_none() && !known.is_held());
        let long = known.session(Stay::Long).expect("valid");
        assert!(long.gone.is_some() && known.is_held());
        drop(long);
        assert!(!known.is_held());
    }

    #[test]
    fn what_was_computed_of_a_caller_stays_until_the_caller_changes() {
        let mut table = Table::default();
        let [key] = hashes(1)[..] else {
            panic!("one was drawn");
        };
        let session = |table: &mut Table, principal: Option<Principal>| {
            table.learn(&[key], vec![principal], Instant::now());
            table.remembered(&key).expect("learned").session(Stay::Long)
        };
        let is_over = |session: &Session| session.gone.as_ref().map(|gone| *gone.borrow());
        let first = session(&mut table, Some(Principal::anybody())).expect("valid");
        let same = session(&mut table, Some(Principal::anybody())).expect("valid");
        assert!(Arc::ptr_eq(&first.identity, &same.identity));
        assert_eq!(is_over(&first), Some(false));
        let fewer = Principal {
            grants: Vec::new(),
            ..Principal::anybody()
        };
        let changed = session(&mut table, Some(fewer)).expect("valid");
        let reach = changed.identity.reach(model::Role::Viewer);
        assert!(!reach.holds("a"), "scopes of the roles it had");
        assert_eq!(is_over(&first), Some(true));
        assert_eq!(is_over(&changed), Some(false));
        assert!(session(&mut table, None).is_none());
        assert_eq!(is_over(&changed), Some(true));
    }

    #[test]
    fn unknown_keys_are_remembered_in_bounded_number_and_push_out_no_valid_key() {
        let mut table = Table::default();
        let now = Instant::now() + REMEMBERED;
        let learn = |table: &mut Table, hashes: &[KeyHash], principal: Option<Principal>| {
            let answers = vec![principal; hashes.len()];
            table.learn(hashes, answers, now);
        };
        let [valid, late] = hashes(2)[..] else {
            panic!("two were drawn");
        };
        learn(&mut table, &[valid], Some(Principal::anybody()));
        for hashes in hashes(KEYS_MAX + ASKED_MAX).chunks(ASKED_MAX) {
            learn(&mut table, hashes, None);
        }
        assert_eq!(table.known.len(), KEYS_MAX);
        learn(&mut table, &[late], Some(Principal::anybody()));
        assert!(table.is_valid(&valid) && table.is_valid(&late));
    }
}
