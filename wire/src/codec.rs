//! Reading and writing fixed-layout, big-endian fields. Refuses; never panics, never allocates by a length it read.

use bytes::{Buf, Bytes};

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ends before its layout does.
    #[error("message is cut short")]
    Truncated,
    /// Bytes are left after the layout's end.
    #[error("message has trailing bytes")]
    Trailing,
    /// The first byte names no message of this version.
    #[error("unknown kind of message {0:#04x}")]
    UnknownKind(u8),
    /// The version byte is not [`VERSION`](crate::VERSION).
    #[error("protocol version {0} is not spoken here")]
    UnknownVersion(u8),
    /// A field is outside of what this version allows.
    #[error("field `{0}` is out of range")]
    OutOfRange(&'static str),
}

/// A cursor over the bytes of one message.
pub(crate) struct Reader(pub Bytes);

macro_rules! read {
    ($($name:ident -> $type:ty, $get:ident);* $(;)?) => {$(
        pub(crate) fn $name(&mut self) -> Result<$type, DecodeError> {
            self.need(size_of::<$type>())?;
            Ok(self.0.$get())
        }
    )*};
}

impl Reader {
    read! { u8 -> u8, get_u8; u16 -> u16, get_u16; u32 -> u32, get_u32; u64 -> u64, get_u64 }

    fn need(&self, length: usize) -> Result<(), DecodeError> {
        if self.0.len() < length { Err(DecodeError::Truncated) } else { Ok(()) }
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        self.need(length)?;
        Ok(self.0.split_to(length))
    }

    /// Reads a byte that this version fixes.
    pub(crate) fn fixed(&mut self, value: u8, field: &'static str) -> Result<(), DecodeError> {
        within(self.u8()? == value, field)
    }

    pub(crate) fn version(&mut self) -> Result<(), DecodeError> {
        match self.u8()? {
            crate::VERSION => Ok(()),
            other => Err(DecodeError::UnknownVersion(other)),
        }
    }

    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}

/// `Err(OutOfRange(field))` unless `condition` holds.
pub(crate) fn within(condition: bool, field: &'static str) -> Result<(), DecodeError> {
    if condition { Ok(()) } else { Err(DecodeError::OutOfRange(field)) }
}
