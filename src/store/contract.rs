//! What every store promises, as one suite of tests that runs on each backend.
//!
//! A test gets a database of its own. What is particular to a backend is tested beside it.

mod anchored;
pub(super) mod appending;
mod claiming;
mod duties;
mod equal;
mod erasing;
pub(super) mod fixture;
mod opening;
pub(super) mod race;
mod reading;
mod searching;
mod tampering;

use std::sync::Arc;

use async_trait::async_trait;
use onya_actors::ports::{AuditLog, EventLog};
use uuid::Uuid;

pub(super) use self::tampering::Dialect;
use super::audit::anchoring::Collect;
use super::audit::source::{ActRow, Source};

/// A database of its own for one test; dropped with the value.
#[async_trait]
pub(super) trait Backend: Send + Sync + Sized {
    async fn start() -> Self;

    /// The store as one incarnation sees it.
    async fn log(&self, incarnation: Uuid) -> Arc<dyn EventLog>;

    /// A snapshot of it, for verification.
    async fn source(&self) -> Box<dyn Source>;

    /// Puts an act on record.
    async fn record(&self, act: &ActRow);

    /// A snapshot of it, for an anchor.
    async fn heads(&self) -> Box<dyn Collect>;

    /// A connection on which anything can be changed and looked at.
    async fn bench(&self) -> Box<dyn Workbench>;

    /// How it writes values.
    fn dialect(&self) -> Dialect;

    /// The record of acts as one incarnation writes it.
    async fn audit(&self, incarnation: Uuid) -> Arc<dyn AuditLog>;

    /// Runs a statement behind the store's back.
    async fn execute(&self, sql: &'static str);

    /// One number, read behind the store's back.
    async fn number(&self, sql: &'static str) -> i64;

    /// The log of a conversation as it lies in its table.
    async fn rows(&self, conversation: Uuid) -> Vec<RawEntry>;

    /// The tables that hold a text somewhere, as text or as bytes; and, where there is one, the file.
    async fn places_of(&self, text: &str) -> Vec<String>;
}

/// A row of `entries`: the columns of the chain and what it is made of.
pub(super) type RawEntry = (
    i64,
    i64,
    bool,
    i64,
    i64,
    String,
    String,
    Option<Uuid>,
    Option<String>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<u8>,
    Vec<u8>,
    bool,
);

pub(super) const RAW_ENTRIES: &str = "SELECT seq, customer_prev, customer_sees, at, epoch, kind, body, participant, \
     client_msg_id, commitment, salt, body_commitment, link, erased FROM entries WHERE conversation = $1 ORDER BY seq";

/// A connection on which anything can be changed and looked at.
#[async_trait]
pub(super) trait Workbench: Send {
    /// Runs a statement; how many rows it changed, or `None` if the database refuses it.
    async fn execute(&mut self, sql: String) -> Option<u64>;

    /// What a verification reads of it.
    fn source(&mut self) -> &mut dyn Source;
}

macro_rules! suite {
    ($($module:ident: $($test:ident)+;)+) => {
        suite!(@backend sqlite crate::store::sqlite::tests::TestSqlite; $($module: $($test)+;)+);
        suite!(@backend postgres crate::store::postgres::tests::TestPostgres; $($module: $($test)+;)+);
    };
    (@backend $name:ident $backend:ty; $($module:ident: $($test:ident)+;)+) => {
        mod $name {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let backend = <$backend as $crate::store::contract::Backend>::start().await;
                    $crate::store::contract::$module::$test(&backend).await;
                })+
            })+
        }
    };
}

suite! {
    opening:
        twenty_racing_creations_make_one_conversation
        the_same_creation_again_finds_what_it_made
        a_customer_whose_conversation_is_closed_gets_a_new_one
        a_creation_that_cannot_be_held_is_refused_and_leaves_nothing;
    appending:
        what_is_accepted_is_read_back_exactly
        each_append_of_a_batch_has_its_own_outcome_in_order
        a_fence_that_differs_in_any_part_is_refused
        a_repeated_command_is_refused_whole_and_names_the_place_of_the_first
        a_poisoned_append_is_buried_and_its_batch_mates_are_stored
        the_end_of_a_turn_is_written_once
        any_character_in_a_text_survives
        a_conversation_that_stands_twice_in_a_batch_is_stored_once
        the_same_participant_may_reuse_an_id_in_another_conversation;
    claiming:
        a_live_owner_is_not_robbed
        a_new_start_under_a_name_makes_the_old_one_dead
        a_release_lets_anybody_claim_and_ends_the_old_fence
        who_owns_nothing_of_it_reclaims_nothing
        what_is_given_up_idle_is_free_and_only_its_owner_gives_it_up
        a_claim_by_the_owner_itself_ends_its_earlier_fence
        only_a_live_member_claims
        snapshot_and_rest_are_the_whole_log
        a_snapshot_of_an_unknown_version_is_ignored
        crashes_are_counted_within_their_window
        an_owner_whose_claim_stands_with_a_shorter_log_renews_the_history
        an_owner_that_was_robbed_or_has_released_renews_nothing;
    reading:
        pages_run_both_ways_in_both_views
        open_conversations_are_listed_newest_first_and_closed_ones_are_not
        a_tail_is_bounded_by_entries_and_by_bytes
        stored_commands_are_found_by_their_ids
        the_summary_follows_the_log
        what_does_not_exist_is_not_found;
    searching:
        what_was_said_is_found_newest_first_page_by_page
        a_query_finds_the_same_whatever_the_case_the_accents_and_the_script
        no_query_reaches_the_syntax_of_the_database
        what_was_stored_before_there_was_an_index_is_found
        a_log_that_grows_while_it_is_indexed_is_indexed_whole
        what_is_taken_out_of_the_index_is_gone_at_once;
    duties:
        a_due_timer_is_found_by_whoever_may_own_it
        an_open_turn_of_a_dead_owner_is_found
        a_customer_who_waits_for_an_agent_who_is_nowhere_is_found
        the_queue_is_what_the_heads_say
        a_final_that_was_decided_before_control_changed_is_refused
        a_turn_has_one_row_whatever_its_attempts_and_ends_once;
    anchored:
        what_is_stored_verifies_and_what_no_anchor_covers_is_told
        a_commit_that_an_anchor_could_not_see_is_in_the_next_one
        an_erasure_on_record_verifies_and_one_without_does_not
        a_chain_that_starts_late_says_so
        an_interrupted_anchor_is_done_again
        a_restored_database_is_found_out;
    erasing:
        an_erasure_leaves_no_word_anywhere_and_the_log_as_it_was
        an_erasure_needs_the_fence_like_any_append
        an_erasure_that_is_stored_already_is_a_repeat
        an_erasure_that_cannot_be_stored_erases_nothing
        nothing_of_a_held_customer_is_erased
        a_hold_waits_for_an_erasure_and_an_erasure_sees_the_hold
        a_hold_is_found_changed_and_lifted
        the_conversations_of_a_customer_are_found_open_closed_and_erased
        closed_conversations_get_the_deadline_of_the_setting_in_force
        a_long_log_is_erased_to_its_last_entry;
    tampering:
        a_thousand_changes_at_or_before_the_last_anchor_are_a_thousand_findings;
    race:
        takeovers_during_appends_lose_nothing_and_double_nothing;
    equal:
        random_operations_have_the_same_answers_in_memory;
}
