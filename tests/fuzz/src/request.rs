//! What a request to the REST interface is signed with.

use wire::request::{Authorization, Request, check_rotation, rotation};

use crate::signer;

/// The input is the value of an `Authorization` header, method and path on a line each, then the body.
pub fn request(bytes: &[u8]) {
    let mut lines = bytes.splitn(4, |&byte| byte == b'\n');
    let mut line = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (header, method, path) = (line(), line().unwrap_or_default(), line().unwrap_or_default());
    let Some(header) = header else { return };
    let body = lines.next().unwrap_or_default();
    if let Some(authorization) = Authorization::parse(header) {
        assert!(header.contains(authorization.nonce) && header.contains(&authorization.channel.to_string()));
        let request = Request { method, path, nonce: authorization.nonce, body };
        if request.verify(&authorization).is_ok() && authorization.channel == signer().channel() {
            let again = request.authorize(&signer());
            assert_eq!(Authorization::parse(&again), Some(authorization), "the signature covers all of it");
        }
    }
    let (old, new) = (signer(), wire::Signer::from_seed(&[8; 32]).channel());
    if check_rotation(old.channel(), new, header).is_ok() {
        assert_eq!(rotation(&old, new), header, "one text form");
    }
}
