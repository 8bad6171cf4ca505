//! `check`: looks at settings, addresses, ports, files and limits, and says in words what strangers would stumble over.

use clap::Args;
use tracker::Config;
use tracker::check::{Weight, knock, look};

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    config: Config,
}

/// `Err`: something will not work.
pub(super) fn run(check: &Check) -> anyhow::Result<()> {
    // As the server does, so that its limit is looked at and not the shell's.
    let _ = rlimit::increase_nofile_limit(tracker::check::files_wanted(&check.config.limits));
    let mut findings = look(&check.config);
    let runtime = tokio::runtime::Runtime::new()?;
    findings.extend(runtime.block_on(knock(&check.config)));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight));
    let text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    super::print(&text)?;
    let faults = findings.iter().filter(|finding| finding.weight == Weight::Fault).count();
    match faults {
        0 => super::print("nothing stands against a start\n"),
        1 => anyhow::bail!("one fault"),
        more => anyhow::bail!("{more} faults"),
    }
}
