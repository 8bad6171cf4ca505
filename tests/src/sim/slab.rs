//! Values at small numbers that are used again once they are free, and a serial that tells old from new.

/// A place in a [`Slab`], and which of its successive tenants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The place.
    pub slot: u32,
    serial: u32,
}

/// A growing table with a list of its free places.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Takes a value in.
    pub fn insert(&mut self, value: T) -> Key {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[slot as usize];
        place.1 = Some(value);
        Key { slot, serial: place.0 }
    }

    /// The value, unless it has been removed.
    pub fn get(&self, key: Key) -> Option<&T> {
        let (serial, value) = self.places.get(key.slot as usize)?;
        value.as_ref().filter(|_| *serial == key.serial)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (serial, value) = self.places.get_mut(key.slot as usize)?;
        value.as_mut().filter(|_| *serial == key.serial)
    }

    /// Takes the value out, unless that has been done.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let (serial, value) = self.places.get_mut(key.slot as usize)?;
        if *serial != key.serial {
            return None;
        }
        let value = value.take()?;
        *serial = serial.wrapping_add(1);
        self.free.push(key.slot);
        Some(value)
    }

    /// Values held.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
