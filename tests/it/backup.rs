//! Copies of the embedded database, made while it is written to, and put back.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use onya_core::conversation::Outcome;
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::support::{Backend, ChatClient, NodeSettings, Roamer, TestNode, ledger};

/// What the command prints with `--json`.
async fn run(settings: &NodeSettings, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let output = settings.run(&arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn name(folder: &Path, file: &str) -> (PathBuf, String) {
    let path = folder.join(file);
    (path.clone(), path.to_str().unwrap().to_owned())
}

async fn stop(node: &mut TestNode) {
    node.terminate();
    node.ended().await;
}

#[tokio::test]
async fn what_was_acknowledged_before_a_backup_is_there_after_the_restore_and_whoever_saw_more_is_told() {
    let backups = tempfile::tempdir().unwrap();
    let (copy, copy_name) = name(backups.path(), "monday.db");
    let settings = NodeSettings::new(Backend::Sqlite).await;
    let mut node = settings.clone().start().await;
    let mut customer = ChatClient::visit(&node).await;
    let before = customer.say("before the backup").await;
    customer.answered(before.seq).await;
    let made = run(&settings, &["backup", &copy_name]).await;
    assert_eq!((&made["conversations"], &made["entries"]), (&json!(1), &json!(4)));
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let after = customer.command(json!({"type": "say", "text": "after the backup"})).await;
    let lost = customer.ack(&after).await;
    customer.answered(lost.seq).await;

    let line = refused(&settings.run(&["restore", &copy_name]).await);
    assert!(line.contains("another Onya uses the data folder"), "{line}");
    stop(&mut node).await;
    let restored = run(&settings, &["restore", &copy_name]).await;
    assert_eq!(restored["entries"], 4);
    assert_eq!(restored["history_epoch_before"], made["history_epoch"]);
    assert_ne!(restored["history_epoch"], made["history_epoch"]);
    let kept = settings.data_dir().parent().unwrap().join(restored["kept"].as_str().unwrap());
    assert_eq!(entries(&kept).await, 7, "what came after the backup is in the database that is kept");

    node.restart().await;
    customer.connect(&node).await;
    assert_eq!(customer.replica.recovered, Some(false));
    let said: Vec<_> = customer.replica.said().into_iter().map(|(_, text)| text).collect();
    assert!(said.contains(&"before the backup".to_owned()) && !said.contains(&"after the backup".to_owned()));
    // The client offers it again under the same name, and it is stored, once.
    customer.acks.clear();
    customer.send(json!({"type": "say", "client_msg_id": after, "text": "after the backup"})).await;
    let again = customer.ack(&after).await;
    assert_eq!(customer.answered(again.seq).await.0, Outcome::Final);
}

async fn entries(file: &Path) -> i64 {
    let mut direct = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM entries").fetch_one(&mut direct).await.unwrap()
}

#[tokio::test]
async fn a_backup_of_a_busy_server_is_one_state_of_it() {
    let backups = tempfile::tempdir().unwrap();
    let settings = NodeSettings::new(Backend::Sqlite).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 1_000);
    let node = settings.clone().start().await;
    let (_there, address) = tokio::sync::watch::channel(Some(node.address()));
    let mut roamer = Roamer::new(node.visitor().await, address);
    let talking = async {
        for number in 0..30 {
            roamer.say(format!("message {number}"));
            while roamer.waiting() > 0 {
                roamer.step().await;
            }
        }
    };
    let copying = async {
        let mut counts = Vec::new();
        for number in 0..5 {
            let (copy, copy_name) = name(backups.path(), &format!("{number}.db"));
            counts.push(run(&settings, &["backup", &copy_name]).await["entries"].as_i64().unwrap());
            whole(&copy).await;
        }
        counts
    };
    let (counts, ()) = tokio::join!(copying, talking);
    assert!(counts.is_sorted(), "{counts:?}");
    while !roamer.is_settled() {
        roamer.step().await;
    }
    ledger::check(&node, &roamer).await;
}

/// Every log in the copy is as long as its conversation says, without a gap.
async fn whole(copy: &Path) {
    let mut direct = SqliteConnection::connect(&format!("sqlite://{}", copy.display())).await.unwrap();
    let broken = "SELECT count(*) FROM conversations AS c WHERE last_seq <> \
                  (SELECT count(*) FROM entries WHERE conversation = c.id) OR last_seq <> \
                  (SELECT max(seq) FROM entries WHERE conversation = c.id)";
    let broken: i64 = sqlx::query_scalar(broken).fetch_one(&mut direct).await.unwrap();
    assert_eq!(broken, 0);
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_half_done() {
    let backups = tempfile::tempdir().unwrap();
    let (copy, copy_name) = name(backups.path(), "copy.db");
    let settings = NodeSettings::new(Backend::Sqlite).await;
    let line = refused(&settings.run(&["backup", &copy_name]).await);
    assert!(line.contains("there is no database at"), "{line}");
    settings.run(&["migrate", "up"]).await;
    std::fs::write(&copy, "precious").unwrap();
    let line = refused(&settings.run(&["backup", &copy_name]).await);
    assert!(line.contains("exists: a backup overwrites nothing"), "{line}");
    assert_eq!(std::fs::read(&copy).unwrap(), b"precious");
    let (_, nowhere) = name(backups.path(), "no/such/folder.db");
    let line = refused(&settings.run(&["backup", &nowhere]).await);
    assert!(line.contains("no/such/folder.db"), "{line}");
    // A schema without a history is not worth a copy.
    let (_, empty) = name(backups.path(), "empty.db");
    let line = refused(&settings.run(&["backup", &empty]).await);
    assert!(line.contains("is not a database of Onya"), "{line}");
    let left: Vec<_> = std::fs::read_dir(backups.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["copy.db"]);
}

/// A node on which somebody has asked and was answered, with a copy of its database; and that somebody.
async fn backed_up(settings: &NodeSettings, copy: &str) -> (TestNode, ChatClient) {
    let node = settings.clone().start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Keep this").await;
    customer.answered(said.seq).await;
    run(settings, &["backup", copy]).await;
    (node, customer)
}

#[tokio::test]
async fn what_is_no_sound_copy_is_not_restored() {
    let backups = tempfile::tempdir().unwrap();
    let (copy, copy_name) = name(backups.path(), "copy.db");
    let settings = NodeSettings::new(Backend::Sqlite).await;
    let (mut node, _) = Box::pin(backed_up(&settings, &copy_name)).await;
    stop(&mut node).await;
    let stored = std::fs::read(settings.data_dir().join("onya.db")).unwrap();

    let (other, other_name) = name(backups.path(), "other");
    let line = refused(&settings.run(&["restore", &other_name]).await);
    assert!(line.contains("there is no database at"), "{line}");
    std::fs::write(&other, "a letter home").unwrap();
    let line = refused(&settings.run(&["restore", &other_name]).await);
    assert!(line.contains("is not a database of Onya"), "{line}");
    let sound = std::fs::read(&copy).unwrap();
    let mut broken = sound.clone();
    // All pages but the first: the header says that it is a database.
    broken[4_096..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&other, &broken).unwrap();
    let line = refused(&settings.run(&["restore", &other_name]).await);
    assert!(line.contains("is damaged") || line.contains("is not a database"), "{line}");
    std::fs::write(&other, &sound[..sound.len() / 2]).unwrap();
    let line = refused(&settings.run(&["restore", &other_name]).await);
    assert!(line.contains("is damaged"), "{line}");
    let mut newer = SqliteConnection::connect(&format!("sqlite://{copy_name}")).await.unwrap();
    let contract = sqlx::query("INSERT INTO schema_migrations VALUES (9000, 'contract', 0, 8999)");
    contract.execute(&mut newer).await.unwrap();
    newer.close().await.unwrap();
    let line = refused(&settings.run(&["restore", &copy_name]).await);
    assert!(line.contains("too new for this version"), "{line}");

    assert_eq!(std::fs::read(settings.data_dir().join("onya.db")).unwrap(), stored, "nothing was changed");
    let files = std::fs::read_dir(settings.data_dir()).unwrap().map(|file| file.unwrap().file_name());
    let mut files: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, ["anchor.key", "anchors.jsonl", "keys.json", "onya.db", "onya.lock"]);
}

/// A restore can be repeated, also into a folder where nothing is, and over a database that is ruined.
#[tokio::test]
async fn a_restore_works_into_an_empty_folder_and_over_a_ruined_database() {
    let backups = tempfile::tempdir().unwrap();
    let (_, copy_name) = name(backups.path(), "copy.db");
    let settings = NodeSettings::new(Backend::Sqlite).await;
    let (mut node, mut customer) = Box::pin(backed_up(&settings, &copy_name)).await;
    node.kill().await;
    let database = settings.data_dir().join("onya.db");
    for file in ["onya.db", "onya.db-wal", "onya.db-shm"] {
        let _ = std::fs::remove_file(settings.data_dir().join(file));
    }
    let first = run(&settings, &["restore", &copy_name]).await;
    assert_eq!(first["kept"], Value::Null);
    std::fs::write(&database, "ruined").unwrap();
    std::fs::write(settings.data_dir().join("onya.db-wal"), "of another file").unwrap();
    let second = run(&settings, &["restore", &copy_name]).await;
    let third = run(&settings, &["restore", &copy_name]).await;
    assert_eq!(second["history_epoch_before"], third["history_epoch_before"], "the copy is not changed");
    let kept = |restored: &Value| settings.data_dir().parent().unwrap().join(restored["kept"].as_str().unwrap());
    assert_eq!(std::fs::read(kept(&second)).unwrap(), b"ruined");
    assert_ne!(kept(&second), kept(&third));
    assert!(!settings.data_dir().join("onya.db-wal").exists());
    node.restart().await;
    customer.connect(&node).await;
    assert_eq!(customer.replica.recovered, Some(false));
    assert_eq!(customer.replica.said().len(), 2);
}

#[tokio::test]
async fn on_postgres_both_name_its_own_tools() {
    let settings = NodeSettings::new(Backend::Postgres).await;
    for subcommand in ["backup", "restore"] {
        let line = refused(&settings.run(&[subcommand, "copy.db"]).await);
        assert!(line.contains("use its own tools") && line.contains("onya history-epoch renew"), "{line}");
    }
}
