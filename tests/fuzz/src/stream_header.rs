//! The stream header with its delegation and its seal, and the text forms of ids and keys.

use std::fmt::Display;
use std::str::FromStr;

use bytes::Bytes;
use wire::limits::{INIT_MAX, MIME_MAX, STRIPES_MAX};
use wire::{
    ChannelId, DelegateId, Delegation, Frame, MediaKey, PeerId, PeerSecret, Signer, StreamHeader, Verifier,
};

use crate::signer;

/// The input is a frame of this kind, or the text of an id, a key or a delegation.
pub fn stream_header(bytes: &[u8]) {
    if let Ok(Frame::Stream(header, frame)) = Frame::decode(Bytes::copy_from_slice(bytes)) {
        check_header(&header, &frame);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        same_text::<ChannelId>(text);
        same_text::<DelegateId>(text);
        same_text::<MediaKey>(text);
        same_text::<PeerSecret>(text);
        // Hex digits of either case name a peer.
        same_text::<PeerId>(&text.to_lowercase());
        same_text::<Delegation>(text);
        if let Ok(delegation) = text.parse::<Delegation>() {
            check_delegation(&delegation);
        }
    }
}

fn check_header(header: &StreamHeader, frame: &Bytes) {
    assert!((1..=STRIPES_MAX).contains(&header.stripes));
    assert!(header.mime.len() <= MIME_MAX && header.init.len() <= INIT_MAX);
    assert!(!header.private || header.mime.is_empty());
    if let Some((plain, _)) = header.opened(&MediaKey::new([9; 32]), signer().channel()) {
        assert!(plain.mime.len() + plain.init.len() <= header.init.len());
    }
    let channel = Verifier::new(signer().channel()).unwrap();
    if let Ok(signing) = StreamHeader::verifier(frame, &channel) {
        assert_eq!(signing.channel(), signer().channel());
        // One of the two that this corpus knows: what they sign is all of the frame.
        let delegate = delegate_of(frame);
        assert_eq!(&header.sign(&delegate.unwrap_or(signer())), frame, "the signature covers all of it");
    }
}

/// The delegate that `frame` carries a delegation for.
fn delegate_of(frame: &Bytes) -> Option<Signer> {
    let delegated = frame[3] & 1 != 0;
    let at = frame.len().checked_sub(64 + wire::DELEGATION_LENGTH).filter(|_| delegated)?;
    let delegation = Delegation::from_bytes(frame[at..frame.len() - 64].try_into().unwrap());
    Some(Signer::from_seed(&[8; 32]).delegated(delegation).unwrap())
}

fn check_delegation(delegation: &Delegation) {
    let owner = Verifier::new(signer().channel()).unwrap();
    if delegation.verifier(&owner).is_ok() {
        let again = Delegation::sign(
            &signer(),
            delegation.delegate(),
            delegation.not_before_s(),
            delegation.expires_s(),
        );
        assert_eq!(again.as_ref(), Ok(delegation), "the signature covers all of it");
    }
}

fn same_text<T: FromStr + Display>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string(), text, "one text form each");
    }
}
