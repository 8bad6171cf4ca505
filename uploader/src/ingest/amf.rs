//! Walks over AMF0 values without building them, so that only well-formed, shallow and short ones reach the
//! library, whose parser recurses without bound and trusts every length (AMF 0 specification, 2007).

use thiserror::Error;

use super::limits::IngestLimits;

/// Why a message's AMF0 is not passed on.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AmfViolation {
    #[error("AMF0 ends early")]
    EndsEarly,
    #[error("AMF0 nested too deep")]
    TooDeep,
    #[error("too many AMF0 values")]
    TooManyValues,
    #[error("AMF0 string too long")]
    StringTooLong,
    #[error("AMF0 string is not UTF-8")]
    NotUtf8,
    #[error("AMF0 marker {0:#04x} is out of place")]
    BadMarker(u8),
}

/// The shape of a checked message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AmfShape {
    /// Values at the top level.
    pub values: u32,
    /// It begins with a string and a number, as commands do.
    pub is_command: bool,
}

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0a;

/// Checks a whole message.
pub(crate) fn check(message: &[u8], limits: &IngestLimits) -> Result<AmfShape, AmfViolation> {
    let mut walk = Walk { rest: message, values_left: limits.amf_values_max, limits };
    let (mut values, mut markers) = (0, [None; 2]);
    while let Some(marker) = walk.rest.first() {
        if let Some(slot) = markers.get_mut(values as usize) {
            *slot = Some(*marker);
        }
        walk.value(limits.amf_depth_max)?;
        values += 1;
    }
    Ok(AmfShape { values, is_command: markers == [Some(STRING), Some(NUMBER)] })
}

struct Walk<'a> {
    rest: &'a [u8],
    values_left: u32,
    limits: &'a IngestLimits,
}

impl<'a> Walk<'a> {
    fn value(&mut self, depth_left: u32) -> Result<(), AmfViolation> {
        self.values_left = self.values_left.checked_sub(1).ok_or(AmfViolation::TooManyValues)?;
        match self.take(1)?[0] {
            NUMBER => self.take(8).map(drop),
            BOOLEAN => self.take(1).map(drop),
            STRING => self.string().map(drop),
            NULL | UNDEFINED => Ok(()),
            OBJECT => self.properties(deeper(depth_left)?),
            ECMA_ARRAY => {
                self.take(4)?;
                self.properties(deeper(depth_left)?)
            }
            STRICT_ARRAY => self.items(deeper(depth_left)?),
            other => Err(AmfViolation::BadMarker(other)),
        }
    }

    fn properties(&mut self, depth_left: u32) -> Result<(), AmfViolation> {
        while !self.string()?.is_empty() {
            self.value(depth_left)?;
        }
        match self.take(1)?[0] {
            OBJECT_END => Ok(()),
            other => Err(AmfViolation::BadMarker(other)),
        }
    }

    fn items(&mut self, depth_left: u32) -> Result<(), AmfViolation> {
        let count = self.take(4)?.iter().fold(0_u32, |count, byte| count << 8 | u32::from(*byte));
        // Ends soon whatever the count claims: each item takes a byte and one of the values allowed.
        (0..count).try_for_each(|_| self.value(depth_left))
    }

    fn string(&mut self) -> Result<&'a str, AmfViolation> {
        let length = self.take(2)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length > self.limits.amf_string_max_bytes {
            return Err(AmfViolation::StringTooLong);
        }
        std::str::from_utf8(self.take(length)?).map_err(|_| AmfViolation::NotUtf8)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], AmfViolation> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(AmfViolation::EndsEarly)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn deeper(depth_left: u32) -> Result<u32, AmfViolation> {
    depth_left.checked_sub(1).ok_or(AmfViolation::TooDeep)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checked(message: &[u8]) -> Result<AmfShape, AmfViolation> {
        check(message, &IngestLimits::default())
    }

    #[test]
    fn a_command_is_recognised() {
        let publish = b"\x02\x00\x07publish\x00\x40\x14\0\0\0\0\0\0\x05\x02\x00\x01k\x02\x00\x04live";
        assert_eq!(checked(publish), Ok(AmfShape { values: 5, is_command: true }));
        assert_eq!(checked(b""), Ok(AmfShape { values: 0, is_command: false }));
        let object = b"\x03\x00\x03app\x02\x00\x04live\x00\x00\x09";
        assert_eq!(checked(object), Ok(AmfShape { values: 1, is_command: false }));
    }

    #[test]
    fn what_breaks_the_library_is_caught() {
        let nested: Vec<u8> = b"\x03\x00\x01a".repeat(20_000);
        assert_eq!(checked(&nested), Err(AmfViolation::TooDeep));
        let arrays: Vec<u8> = b"\x0a\x00\x00\x00\x01".repeat(20_000);
        assert_eq!(checked(&arrays), Err(AmfViolation::TooDeep));
        assert_eq!(checked(b"\x02\xff\xffabc"), Err(AmfViolation::StringTooLong));
        assert_eq!(checked(b"\x02\x00\x09abc"), Err(AmfViolation::EndsEarly));
        assert_eq!(checked(b"\x02\x00\x01\xff"), Err(AmfViolation::NotUtf8));
        assert_eq!(checked(b"\x09"), Err(AmfViolation::BadMarker(OBJECT_END)));
        assert_eq!(checked(b"\x0a\xff\xff\xff\xff\x05"), Err(AmfViolation::EndsEarly));
        assert_eq!(checked(&[NULL; 2_000]), Err(AmfViolation::TooManyValues));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_judged(message in prop::collection::vec(0_u8..16, 0..2_000)) {
            let _ = checked(&message);
        }
    }
}
