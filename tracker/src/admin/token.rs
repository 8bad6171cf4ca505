//! The operator's token: shown once, kept as a hash in `DATA/admin-token`, replaced by `admin new-token`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use data_encoding::HEXLOWER;

use crate::machine;
use crate::seeing::Token;

/// In the data folder.
const FILE: &str = "admin-token";

/// What takes its place.
const NEW_FILE: &str = "admin-token.new";

/// Random bytes of a token: 160 bits cannot be guessed.
const BYTES: usize = 20;

/// A new token, to be shown once.
pub struct AdminToken(pub String);

impl AdminToken {
    /// Replaces the token of the server that keeps its data in `data`. Who is logged in has to log in again.
    pub fn replace(data: &Path) -> io::Result<AdminToken> {
        let secret = HEXLOWER.encode(&machine::random::<BYTES>());
        let (path, new) = (data.join(FILE), data.join(NEW_FILE));
        let _ = fs::remove_file(&new);
        let mut file = machine::secret_file(data, NEW_FILE)?;
        writeln!(file, "{}", HEXLOWER.encode(Token::new(&secret).hash()))?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        Ok(AdminToken(secret))
    }

    /// A token, if there is none yet.
    pub fn first(data: &Path) -> io::Result<Option<AdminToken>> {
        match fs::metadata(data.join(FILE)) {
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => AdminToken::replace(data).map(Some),
            Err(error) => Err(error),
        }
    }
}

/// The token in force; `None`: nobody can log in.
pub(super) fn current(data: &Path) -> Option<Token> {
    let text = fs::read_to_string(data.join(FILE)).ok()?;
    let hash = HEXLOWER.decode(text.trim().as_bytes()).ok()?;
    Some(Token::from_hash(hash.try_into().ok()?))
}
