//! A session description as Chromium writes it for a link with one data-channel section, host candidates included: what a
//! signal weighs. Both servers are given the same.

/// For signal `number`; no two are alike.
pub fn description(number: u64) -> String {
    format!(
        "v=0\r\no=- {number:019} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
         c=IN IP4 0.0.0.0\r\n\
         a=candidate:2378431953 1 udp 2113937151 8f0f5d5e-3ac1-4a44-9d3b-24b6a5dfe6a1.local 52113 typ host \
         generation 0 network-cost 999\r\n\
         a=candidate:842163049 1 udp 1677729535 203.0.113.7 52113 typ srflx raddr 0.0.0.0 rport 0 generation 0 \
         network-cost 999\r\n\
         a=ice-ufrag:{:04x}\r\na=ice-pwd:k0Yw1hX3mJ5o9Qz2rT7uVbNc\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n\
         a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n",
        number & 0xffff
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_weighs_what_a_browsers_does() {
        assert!((700..1_100).contains(&super::description(1).len()), "{}", super::description(1).len());
    }
}
