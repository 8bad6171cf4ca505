//! Every bound of the server, with its unit and the reason for its default.

use std::time::Duration;

use super::values;

/// Every bound of the server. Those that both ends must agree on are in [`wire::limits`].
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Connections at once, sessions and chats included. 18,432: at about 20 KB each 360 MB, below the usual 20,000 files
    /// that a service may open.
    #[arg(long, value_name = "NUMBER", default_value = "18432", value_parser = values::count, hide_short_help = true)]
    pub connections_max: usize,
    /// Sessions at once. 16,000: leaves room for those who fetch a page.
    #[arg(long, value_name = "NUMBER", default_value = "16000", value_parser = values::count, hide_short_help = true)]
    pub sessions_max: usize,
    /// Sessions at once of one address (IPv6: of one /64). 256: a school behind one address.
    #[arg(long, value_name = "NUMBER", default_value = "256", value_parser = values::count, hide_short_help = true)]
    pub sessions_per_address: usize,
    /// The same for loopback. 1,024: tests, and programs on this machine.
    #[arg(long, value_name = "NUMBER", default_value = "1024", value_parser = values::count, hide_short_help = true)]
    pub sessions_on_loopback: usize,
    /// Sessions opened by one address in a second, on average. 20: a page reloaded by a whole school after a
    /// restart is served within seconds, thanks to the burst.
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = values::count_32, hide_short_help = true)]
    pub openings_per_second: u32,
    /// The same at once. As many as it may have sessions.
    #[arg(long, value_name = "NUMBER", default_value = "256", value_parser = values::count_32, hide_short_help = true)]
    pub openings_burst: u32,
    /// Text messages read from one session in a second, on average; more wait in the network. 50: a link takes
    /// about eight, and each peer keeps 16 links.
    #[arg(long, value_name = "NUMBER", default_value = "50", value_parser = values::count_32, hide_short_help = true)]
    pub texts_per_second: u32,
    /// The same at once. 200: sixteen links made together, with their candidates.
    #[arg(long, value_name = "NUMBER", default_value = "200", value_parser = values::count_32, hide_short_help = true)]
    pub texts_burst: u32,
    /// Binary messages read from one viewer in a second, on average. 200: requests and summaries, ten times over.
    #[arg(long, value_name = "NUMBER", default_value = "200", value_parser = values::count_32, hide_short_help = true)]
    pub frames_per_second: u32,
    /// Binary messages read from a broadcaster in a second, on average. 2,000: 64 Mb/s in the smallest pieces.
    #[arg(long, value_name = "NUMBER", default_value = "2000", value_parser = values::count_32, hide_short_help = true)]
    pub source_frames_per_second: u32,
    /// Connections to chats at once, counted apart from sessions. 2,048: one in eight viewers opens it.
    #[arg(long, value_name = "NUMBER", default_value = "2048", value_parser = values::count, hide_short_help = true)]
    pub chat_visits_max: usize,
    /// Lines of a broadcast that who opens its chat is shown. 100: a few screens.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = values::count, hide_short_help = true)]
    pub chat_lines_kept: usize,
    /// Lines of all guests of one chat in a second. 20: nobody can read more.
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = values::count_32, hide_short_help = true)]
    pub chat_lines_per_second: u32,
    /// Time from one line of a speaker to the next, on average; four may come at once. 2 s: as fast as people write.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = values::duration, hide_short_help = true)]
    pub chat_line_every: Duration,
    /// Messages of a chat waiting for one who does not read; then the connection ends. 256: ten seconds of the busiest
    /// chat. Each is held once for all.
    #[arg(long, value_name = "NUMBER", default_value = "256", value_parser = values::count, hide_short_help = true)]
    pub chat_queued_max: usize,
    /// Time for the request line and headers. 10 s: two lost packets on a slow mobile network.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::duration, hide_short_help = true)]
    pub header_timeout: Duration,
    /// Time from the opening of a session to its first message. 10 s, as for headers.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::duration, hide_short_help = true)]
    pub first_message_timeout: Duration,
    /// Time that somebody who comes waits for a channel with more to do than it can; then they are told to come again.
    /// 3 s: for longer nobody waits for a picture.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = values::duration, hide_short_help = true)]
    pub join_wait: Duration,
    /// Time between pings. 50 s: home routers and proxies forget a silent connection after a minute and more.
    #[arg(long, value_name = "TIME", default_value = "50s", value_parser = values::duration, hide_short_help = true)]
    pub ping_every: Duration,
    /// Silence after which a session counts as dead. 125 s: two unanswered pings.
    #[arg(long, value_name = "TIME", default_value = "125s", value_parser = values::duration, hide_short_help = true)]
    pub dead_after: Duration,
    /// Time between looks at the files of the certificate. 30 s: whoever renews it does so weeks ahead.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::duration, hide_short_help = true)]
    pub certificate_look: Duration,
    /// Time that all sessions together have to go when the server ends. 5 s: whoever takes longer reconnects anyhow.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::duration, hide_short_help = true)]
    pub shutdown_wait: Duration,
    /// Time that the last words of a session may take. 2 s: a round trip or two.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = values::duration, hide_short_help = true)]
    pub farewell: Duration,
    /// Bytes of text waiting for one session. 256 KiB: a dozen of the longest offers; who is further behind is gone.
    #[arg(long, value_name = "NUMBER", default_value = "262144", value_parser = values::count, hide_short_help = true)]
    pub queued_text_bytes_max: usize,
    /// Bytes of frames waiting for one session. 2 MiB: the engine stops far earlier, this is for its mistakes.
    #[arg(long, value_name = "NUMBER", default_value = "2097152", value_parser = values::count, hide_short_help = true)]
    pub queued_frame_bytes_max: usize,
    /// Unsent bytes that the kernel holds for one connection. 64 KiB: what waits there is late and cannot be dropped.
    #[arg(long, value_name = "NUMBER", default_value = "65536", value_parser = values::count_32, hide_short_help = true)]
    pub unsent_bytes_max: u32,
    /// Messages waiting for the task of one channel; then sessions wait. 512: at the longest frame 10 MiB.
    #[arg(long, value_name = "NUMBER", default_value = "512", value_parser = values::count, hide_short_help = true)]
    pub inbox_messages: usize,
    /// Zero bits of the work that a registration asks for where it is open. 18: a tenth of a second for one channel, a
    /// quarter of an hour of a core for ten thousand.
    #[arg(long, value_name = "NUMBER", default_value = "18", value_parser = values::work_bits, hide_short_help = true)]
    pub registration_work_bits: u32,
    /// A channel without sessions frees its memory after this. 60 s: an encoder may come back within it.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::duration, hide_short_help = true)]
    pub idle_channel: Duration,
    /// A server that has just started knows no broadcaster yet: joins of unknown channels wait until it is this
    /// old. 10 s: after a restart all broadcasters are back by then.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::duration, hide_short_help = true)]
    pub settling: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        values::defaults()
    }
}
