//! Rows one by one, fetched by the page.

use std::collections::VecDeque;

use onya_actors::ports::StoreError;
use uuid::Uuid;

use crate::store::audit::source::{ActRow, EntryRow, HeadRow, Kind, LeafRow, Source};

/// Rows in a page. A body has up to some 100 KiB, so a page of entries has at most some 20 MiB.
const PAGE: usize = 200;

/// Rows that are read in order.
pub(super) trait Row: Sized + Send {
    /// What the next page comes after.
    type After: Copy + Send;

    /// Where this row is.
    fn place(&self, after: Self::After) -> Self::After;

    /// The chain that it belongs to.
    fn chain(&self) -> Uuid;

    /// The next page.
    async fn page(source: &mut dyn Source, after: Self::After, limit: i64) -> Result<Vec<Self>, StoreError>;
}

/// A stream of rows with a look at the next one.
pub(super) struct Rows<R: Row> {
    page: VecDeque<R>,
    after: R::After,
    ended: bool,
}

impl<R: Row> Rows<R> {
    pub(super) const fn new(start: R::After) -> Self {
        Self { page: VecDeque::new(), after: start, ended: false }
    }

    /// The chain of the next row.
    pub(super) async fn next_chain(&mut self, source: &mut dyn Source) -> Result<Option<Uuid>, StoreError> {
        self.fill(source).await?;
        Ok(self.page.front().map(Row::chain))
    }

    /// The next row, if it belongs to this chain and fits.
    pub(super) async fn take_if(
        &mut self,
        source: &mut dyn Source,
        chain: Uuid,
        fits: impl FnOnce(&R) -> bool,
    ) -> Result<Option<R>, StoreError> {
        self.fill(source).await?;
        Ok(self.page.pop_front_if(|row| row.chain() == chain && fits(row)))
    }

    async fn fill(&mut self, source: &mut dyn Source) -> Result<(), StoreError> {
        if !self.page.is_empty() || self.ended {
            return Ok(());
        }
        let page = R::page(source, self.after, PAGE as i64).await?;
        self.ended = page.len() < PAGE;
        if let Some(last) = page.last() {
            self.after = last.place(self.after);
        }
        self.page = page.into();
        Ok(())
    }
}

impl Row for HeadRow {
    type After = Uuid;

    fn place(&self, _: Uuid) -> Uuid {
        self.conversation
    }

    fn chain(&self) -> Uuid {
        self.conversation
    }

    async fn page(source: &mut dyn Source, after: Uuid, limit: i64) -> Result<Vec<Self>, StoreError> {
        source.heads(after, limit).await
    }
}

impl Row for EntryRow {
    type After = (Uuid, i64);

    fn place(&self, _: (Uuid, i64)) -> (Uuid, i64) {
        (self.conversation, self.seq)
    }

    fn chain(&self) -> Uuid {
        self.conversation
    }

    async fn page(source: &mut dyn Source, after: (Uuid, i64), limit: i64) -> Result<Vec<Self>, StoreError> {
        source.entries(after, limit).await
    }
}

impl Row for ActRow {
    type After = (Uuid, i64);

    fn place(&self, _: (Uuid, i64)) -> (Uuid, i64) {
        (self.chain, self.n)
    }

    fn chain(&self) -> Uuid {
        self.chain
    }

    async fn page(source: &mut dyn Source, after: (Uuid, i64), limit: i64) -> Result<Vec<Self>, StoreError> {
        source.acts(after, limit).await
    }
}

impl Row for LeafRow {
    type After = (Kind, (Uuid, i64, i64));

    fn place(&self, (kind, _): Self::After) -> Self::After {
        (kind, (self.chain, self.position, self.anchor))
    }

    fn chain(&self) -> Uuid {
        self.chain
    }

    async fn page(source: &mut dyn Source, (kind, after): Self::After, limit: i64) -> Result<Vec<Self>, StoreError> {
        source.leaves(kind, after, limit).await
    }
}

/// All leaves of a kind of chain.
pub(super) const fn leaves(kind: Kind) -> Rows<LeafRow> {
    Rows::new((kind, (Uuid::nil(), i64::MIN, i64::MIN)))
}
