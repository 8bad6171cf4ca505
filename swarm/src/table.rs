//! A sorted table with the edges of `BTreeMap`, for what one participant holds: some dozen links, some thousand
//! pieces that come at the end and go at the front.
//!
//! Ordered by key, so nothing depends on a hasher; and small, because each kind of `BTreeMap` in the engine adds to
//! what every viewer downloads.

use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};

/// Keys to values, in the order of keys.
#[derive(Debug, Clone)]
pub(crate) struct Table<K, V>(VecDeque<(K, V)>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table(VecDeque::new())
    }
}

impl<K: Ord + Copy, V> Table<K, V> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.find(key).ok().map(|at| &mut self.0[at].1)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    /// The value that was there before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// The value of `key`, which is `value` if there was none.
    pub(crate) fn or_insert(&mut self, key: K, value: V) -> &mut V {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, value));
            at
        });
        &mut self.0[at].1
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key).ok()?;
        self.0.remove(at).map(|(_, value)| value)
    }

    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        self.0.pop_front()
    }

    /// Drops all before `key`.
    pub(crate) fn drop_before(&mut self, key: &K) {
        let at = self.find(key).unwrap_or_else(|at| at);
        self.0.drain(..at);
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn first_key_value(&self) -> Option<(&K, &V)> {
        self.0.front().map(pair)
    }

    pub(crate) fn last_key_value(&self) -> Option<(&K, &V)> {
        self.0.back().map(pair)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().map(pair)
    }

    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(crate) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub(crate) fn into_iter(self) -> impl DoubleEndedIterator<Item = (K, V)> {
        self.0.into_iter()
    }

    /// Those whose keys are in `range`. Empty when it ends before it begins.
    pub(crate) fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let place = |key: &K, after: bool| self.0.partition_point(|(k, _)| k < key || after && k == key);
        let start = match range.start_bound() {
            Bound::Included(key) => place(key, false),
            Bound::Excluded(key) => place(key, true),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(key) => place(key, true),
            Bound::Excluded(key) => place(key, false),
            Bound::Unbounded => self.0.len(),
        };
        self.0.range(start..end.max(start)).map(pair)
    }

    /// Where `key` is, or belongs. Looks at the end first, where new ones come.
    fn find(&self, key: &K) -> Result<usize, usize> {
        match self.0.back() {
            Some((last, _)) if last < key => Err(self.0.len()),
            _ => self.0.binary_search_by(|(k, _)| k.cmp(key)),
        }
    }
}

fn pair<K, V>((key, value): &(K, V)) -> (&K, &V) {
    (key, value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0u8..5, 0u8..32, any::<u8>()), 0..200)) {
            let (mut table, mut map) = (Table::new(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 | 1 => prop_assert_eq!(table.insert(key, value), map.insert(key, value)),
                    2 => prop_assert_eq!(table.remove(&key), map.remove(&key)),
                    3 => prop_assert_eq!(table.or_insert(key, value), map.entry(key).or_insert(value)),
                    _ => {
                        table.drop_before(&(key / 4));
                        map = map.split_off(&(key / 4));
                    }
                }
                prop_assert!(table.iter().eq(map.iter()));
                prop_assert_eq!(table.get(&key), map.get(&key));
                prop_assert!(table.range(key..).eq(map.range(key..)));
                prop_assert!(table.range(4..key.max(4)).eq(map.range(4..key.max(4))));
                prop_assert_eq!(table.first_key_value(), map.first_key_value());
                prop_assert_eq!(table.last_key_value(), map.last_key_value());
            }
        }
    }
}
