//! A Merkle tree over leaves that come one by one: its memory is the height of the tree.
//!
//! The tree is that of RFC 6962: a list of n leaves is split at the largest power of two below n. Leaves and nodes are
//! hashed under different tags, so that no node can pass for a leaf.

use super::source::{Kind, LeafRow};
use crate::store::chain::{GENESIS, Hash, Parts};

/// A tree that grows.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Roots of complete subtrees, the largest first, each with its number of leaves.
    complete: Vec<(u64, Hash)>,
    leaves: u64,
}

impl Tree {
    pub(super) fn add(&mut self, kind: Kind, leaf: &LeafRow) {
        let mut node = (1, leaf_hash(kind, leaf));
        while let Some((size, left)) = self.complete.pop_if(|(size, _)| *size == node.0) {
            node = (size * 2, node_hash(&left, &node.1));
        }
        self.complete.push(node);
        self.leaves += 1;
    }

    pub(super) const fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root; of no leaves, 32 zero bytes.
    pub(super) fn root(&self) -> Hash {
        let mut roots = self.complete.iter().rev().map(|(_, root)| *root);
        let Some(last) = roots.next() else { return GENESIS };
        roots.fold(last, |right, left| node_hash(&left, &right))
    }
}

fn leaf_hash(kind: Kind, leaf: &LeafRow) -> Hash {
    Parts::new("onya.leaf.1")
        .bytes(kind.name().as_bytes())
        .bytes(leaf.chain.as_bytes())
        .integer(leaf.position)
        .bytes(&leaf.link)
        .hash()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Parts::new("onya.node.1").bytes(left).bytes(right).hash()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn leaf(number: u128) -> LeafRow {
        LeafRow { anchor: 1, chain: Uuid::from_u128(number), position: 1, link: vec![7; 32] }
    }

    /// The definition, word for word.
    fn recursive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => GENESIS,
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&recursive(left), &recursive(right))
            }
        }
    }

    #[test]
    fn a_tree_that_grows_is_the_tree_of_the_definition() {
        let mut tree = Tree::default();
        let mut hashes = Vec::new();
        for number in 0..70 {
            assert_eq!((tree.root(), tree.leaves()), (recursive(&hashes), hashes.len() as u64));
            tree.add(Kind::Conversation, &leaf(number));
            hashes.push(leaf_hash(Kind::Conversation, &leaf(number)));
        }
    }

    #[test]
    fn every_part_of_a_leaf_changes_its_hash() {
        let base = leaf(1);
        let hash = leaf_hash(Kind::Conversation, &base);
        assert_ne!(leaf_hash(Kind::Audit, &base), hash);
        assert_ne!(leaf_hash(Kind::Conversation, &leaf(2)), hash);
        assert_ne!(leaf_hash(Kind::Conversation, &LeafRow { position: 2, ..base.clone() }), hash);
        assert_ne!(leaf_hash(Kind::Conversation, &LeafRow { link: vec![8; 32], ..base }), hash);
    }
}
