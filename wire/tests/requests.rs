//! Signed requests: whatever a header says is read or refused, and a signature is for exactly what was signed.

use proptest::prelude::*;
use wire::Signer;
use wire::request::{Authorization, Request, check_rotation};

proptest! {
    #[test]
    fn any_header_is_read_or_refused(header: String, tail: String) {
        let _ = Authorization::parse(&header);
        let _ = Authorization::parse(&format!("Swarmcast {tail}"));
        let _ = check_rotation(Signer::from_seed(&[1; 32]).channel(), Signer::from_seed(&[2; 32]).channel(), &tail);
    }

    #[test]
    fn a_signature_is_for_what_was_signed(
        seed: [u8; 32],
        method in "[A-Z]{3,6}",
        path in "/[ -~]{0,40}",
        nonce in "[A-Za-z0-9_-]{1,54}",
        body: Vec<u8>,
        other: Vec<u8>,
    ) {
        let signer = Signer::from_seed(&seed);
        let request = Request { method: &method, path: &path, nonce: &nonce, body: &body };
        let header = request.authorize(&signer);
        let authorization = Authorization::parse(&header).unwrap();
        prop_assert_eq!((authorization.channel, authorization.nonce), (signer.channel(), &*nonce));
        prop_assert!(request.verify(&authorization).is_ok());
        prop_assert_eq!(Request { body: &other, ..request }.verify(&authorization).is_ok(), other == body);
    }
}
