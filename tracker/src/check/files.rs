//! What the file system and the process's limits say: who can read secrets, how long the certificate lasts, how many
//! files may be open.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rlimit::Resource;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Finding;
use crate::config::{Config, Limits};
use crate::machine;
use crate::store::DATABASE;
use crate::tls;

/// Open files beside connections: the database, the log, channels' own sockets. 1,000: many times over.
const FILES_BESIDE: u64 = 1_000;

/// A certificate that ends so soon should have been renewed. 14 days: authorities say 30.
const RENEWED_BEFORE_DAYS: i64 = 14;

const DAY_S: i64 = 86_400;

/// Open files that the server may need.
pub fn files_wanted(limits: &Limits) -> u64 {
    limits.connections_max as u64 + FILES_BESIDE
}

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<_> =
        [open_files(&config.limits), folder(&config.data)].into_iter().flatten().collect();
    let secrets = [Some(config.data.join(DATABASE)), config.tls.key.clone()];
    findings.extend(secrets.iter().flatten().filter_map(|path| read_by_others(path)));
    if config.tls.is_on() {
        findings.extend(tls(config));
    }
    if !config.tls.acme_domains.is_empty() && config.listen.port() != 443 {
        findings.push(Finding::warning(format!(
            "the ACME authority looks for this server at TCP port 443, and `listen` has {}: lead port 443 there",
            config.listen.port()
        )));
    }
    findings
}

fn open_files(limits: &Limits) -> Option<Finding> {
    let (_, most) = Resource::NOFILE.get().ok()?;
    let wanted = files_wanted(limits);
    (most < wanted).then(|| {
        Finding::warning(format!(
            "this process may open {most} files, and `connections_max` needs {wanted}: raise LimitNOFILE in the systemd \
             unit, or `ulimit -n`"
        ))
    })
}

fn folder(path: &Path) -> Option<Finding> {
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) => {
            return Some(Finding::note(format!(
                "the data folder {} is not there yet ({error}): it is made at the start",
                path.display()
            )));
        }
    };
    if !about.is_dir() {
        return Some(Finding::fault(format!("{} is no folder: choose another with `data`", path.display())));
    }
    if !machine::can_write(path) {
        return Some(Finding::fault(format!("this user cannot write in the data folder {}", path.display())));
    }
    None
}

fn read_by_others(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o004 != 0).then(|| {
        let path = path.display();
        Finding::warning(format!(
            "everybody on this machine can read {path}, which holds secrets: chmod o-r {path}"
        ))
    })
}

fn tls(config: &Config) -> Option<Finding> {
    match tls::look(config) {
        Err(error) => Some(Finding::fault(error.to_string())),
        Ok(()) => config.tls.cert.as_ref().map(|path| certificate(path, machine::unix_ms() as i64 / 1_000)),
    }
}

fn certificate(path: &Path, now_s: i64) -> Finding {
    let shown = path.display();
    let bytes = match CertificateDer::from_pem_file(path) {
        Ok(bytes) => bytes,
        Err(error) => return Finding::fault(format!("no certificate can be read from {shown}: {error}")),
    };
    let Ok((_, certificate)) = X509Certificate::from_der(&bytes) else {
        return Finding::fault(format!("the certificate in {shown} is none"));
    };
    let names = names(&certificate).join(", ");
    let validity = certificate.validity();
    let left = validity.not_after.timestamp() - now_s;
    let days = left / DAY_S;
    if names.is_empty() {
        Finding::fault(format!(
            "the certificate in {shown} has no name that browsers look at (subjectAltName)"
        ))
    } else if now_s < validity.not_before.timestamp() {
        Finding::fault(format!(
            "the certificate in {shown} for {names} is not valid yet: is the clock right?"
        ))
    } else if left < 0 {
        Finding::fault(format!("the certificate in {shown} for {names} has ended {} days ago", -days))
    } else if days < RENEWED_BEFORE_DAYS {
        Finding::warning(format!("the certificate in {shown} for {names} ends in {days} days: renew it"))
    } else {
        Finding::note(format!("the certificate in {shown} is for {names}, and lasts for {days} days more"))
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = alternative.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;
    use crate::check::Weight;

    #[test]
    fn a_certificate_is_read_for_its_names_and_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cert.pem");
        let mut parameters = CertificateParams::new(["live.example.org".to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) =
            (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 4, 1));
        let pem = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        std::fs::write(&path, pem).unwrap();
        // 1 January 2026.
        let begins_s = 1_767_225_600;
        for (day, weight, said) in [
            (-1, Weight::Fault, "not valid yet"),
            (1, Weight::Note, "for live.example.org, and lasts for 89 days more"),
            (80, Weight::Warning, "ends in 10 days"),
            (100, Weight::Fault, "has ended 10 days ago"),
        ] {
            let finding = certificate(&path, begins_s + day * DAY_S);
            assert!(finding.weight == weight && finding.text.contains(said), "{finding}");
        }
        assert_eq!(certificate(&folder.path().join("none"), 0).weight, Weight::Fault);
    }

    #[test]
    fn secrets_that_everybody_can_read_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "secret").unwrap();
        for (mode, found) in [(0o644, true), (0o640, false), (0o600, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_by_others(&path).is_some(), found, "{mode:o}");
        }
    }
}
