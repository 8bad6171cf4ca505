//! A certificate by itself: the program orders one from Pebble, the ACME server that its makers test with, and shows
//! it; started again, it has it still.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificates::{Authority, client, connect};
use crate::configured::Running;
use crate::support::within;

/// The name that the certificate is for. No name of the Internet: RFC 6761 keeps `.test` for this.
const NAME: &str = "live.swarmcast.test";

struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Helper {
    let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Helper(started.expect("pebble is installed; `make setup` does it"))
}

/// Ports that are free now.
fn free_ports<const N: usize>() -> [u16; N] {
    let taken: Vec<_> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|index| taken[index].local_addr().unwrap().port())
}

/// Names lead to this machine: what Pebble asks in place of the Internet's DNS.
fn names(port: u16, management: u16) -> Helper {
    let (dns, management) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{management}"));
    let off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
    start(Command::new("pebble-challtestsrv").args(["-dns01", &dns, "-management", &management]).args(off))
}

/// Pebble, which looks for its applicants on `tls_port`.
fn pebble(folder: &Path, [directory, management, names]: [u16; 3], tls_port: u16) -> (Helper, Authority) {
    let authority = Authority::new(folder);
    let (certificate, key) = authority.issue("pebble");
    let settings = json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{directory}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": certificate, "privateKey": key, "httpPort": 1, "tlsPort": tls_port,
        "ocspResponderURL": "", "externalAccountBindingRequired": false,
    }});
    let file = folder.join("pebble.json");
    std::fs::write(&file, settings.to_string()).unwrap();
    let mut command = Command::new("pebble");
    command.arg("-config").arg(file).arg("-dnsserver").arg(format!("127.0.0.1:{names}"));
    (start(command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0")), authority)
}

/// The certificate of the authority that Pebble makes at each start.
async fn root(management: u16, authority: &Authority) -> String {
    let address = SocketAddr::from(([127, 0, 0, 1], management));
    let mut stream = loop {
        match connect(address, "localhost", authority.client(&[])).await {
            Ok(stream) => break stream,
            // It is starting.
            Err(_) => tokio::task::yield_now().await,
        }
    };
    stream.write_all(b"GET /roots/0 HTTP/1.0\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_certificate_is_ordered_shown_and_kept() {
    let data = tempfile::tempdir().unwrap();
    let [listen, directory, management, dns, dns_management] = free_ports();
    let names = names(dns, dns_management);
    let (pebble, authority) = pebble(data.path(), [directory, management, dns], listen);
    let root_file = data.path().join("root.pem");
    std::fs::write(&root_file, within(root(management, &authority)).await).unwrap();
    let settings = format!(
        "listen = \"127.0.0.1:{listen}\"\nrtmp = \"off\"\nudp = \"off\"\nacme_domains = [\"{NAME}\"]\n\
         acme_directory = \"https://localhost:{directory}/dir\"\nacme_ca = {:?}\nacme_contact = \"a@example.org\"\n",
        authority.file()
    );
    std::fs::write(data.path().join("swarmcast.toml"), settings).unwrap();

    let mut server = Running::start(data.path());
    server.logged("DeployedNewCert");
    server.logged("CertCacheStore");
    let address: SocketAddr = server.address.parse().unwrap();
    // Verified up to Pebble's root, for the name.
    within(connect(address, NAME, client(&root_file, &[b"h2"]))).await.unwrap();
    drop((server, pebble, names));

    let mut again = Running::start(data.path());
    again.logged("DeployedCachedCert");
    within(connect(address, NAME, client(&root_file, &[b"h2"]))).await.unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(data.path().join("acme")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o700, "keys are the server's alone");
}
