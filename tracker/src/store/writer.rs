//! The one thread that writes. What waits together is committed together, so that a crowd costs few flushes of the disk;
//! each is answered after that commit, and one that fails takes no other along.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::StoreError;
use super::records::Records;
use super::sqlite::Database;

/// Writes that may wait; then those who ask do. 256: about a second's worth on a slow disk.
const WAITING_MAX: usize = 256;

/// Writes in one transaction. 64: it stays below some ten milliseconds.
const TOGETHER_MAX: usize = 64;

/// Answers once it is known whether the transaction was committed.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Does the work, and keeps the answer for later.
type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) -> (Kept, Answer) + Send>;

/// Whether what a job did shall stay.
type Kept = bool;

/// The way to the thread, which ends with the last of these.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(super) fn start(database: Database) -> Self {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        std::thread::spawn(move || run(database, waiting));
        Writer { jobs }
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            let done = store.and_then(|store| work(store));
            let kept = done.is_ok();
            let answer: Answer = Box::new(move |committed| {
                // Whoever asked may be gone.
                let _ = answer.send(done.and_then(|done| committed.map(|()| done)));
            });
            (kept, answer)
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Ended)?;
        answered.await.map_err(|_| StoreError::Ended)?
    }
}

fn run(mut database: Database, mut waiting: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(TOGETHER_MAX);
    while waiting.blocking_recv_many(&mut jobs, TOGETHER_MAX) > 0 {
        commit(&mut database, jobs.drain(..));
    }
}

fn commit(database: &mut Database, jobs: impl Iterator<Item = Job>) {
    let transaction = match database.begin() {
        Ok(transaction) => transaction,
        Err(error) => return refuse(jobs, &error),
    };
    let answers: Vec<Answer> = jobs.map(|job| apart(&transaction, job)).collect();
    let committed = transaction.commit().map_err(|error| error.to_string());
    for answer in answers {
        answer(committed.clone().map_err(StoreError::Database));
    }
}

/// Does one job so that it can be undone alone.
fn apart(transaction: &Connection, job: Job) -> Answer {
    if let Err(error) = transaction.execute_batch("SAVEPOINT job") {
        return job(Err(error.into())).1;
    }
    let (kept, answer) = job(Ok(transaction));
    let end = if kept { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
    match transaction.execute_batch(end) {
        Ok(()) => answer,
        Err(error) => {
            let message = error.to_string();
            Box::new(move |_| answer(Err(StoreError::Database(message))))
        }
    }
}

fn refuse(jobs: impl Iterator<Item = Job>, error: &StoreError) {
    for job in jobs {
        let (_, answer) = job(Err(StoreError::Database(error.to_string())));
        answer(Ok(()));
    }
}
