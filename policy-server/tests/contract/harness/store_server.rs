//! Policy servers beside a shared store, and what tests do to its server.

#[cfg(feature = "postgres")]
use test_services::Postgres;
#[cfg(feature = "valkey")]
use test_services::Valkey;

#[cfg(any(feature = "postgres", feature = "valkey"))]
use super::World;
#[cfg(any(feature = "postgres", feature = "valkey"))]
use super::files::write;

/// The server of a store that no other world uses.
pub(crate) enum StoreServer {
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
    #[cfg(feature = "valkey")]
    Valkey(Valkey),
}

/// Does the same with whichever server it is.
#[cfg(any(feature = "postgres", feature = "valkey"))]
macro_rules! with {
    ($self:ident, $server:ident => $what:expr) => {
        match $self {
            #[cfg(feature = "postgres")]
            StoreServer::Postgres($server) => $what,
            #[cfg(feature = "valkey")]
            StoreServer::Valkey($server) => $what,
        }
    };
}

#[cfg(any(feature = "postgres", feature = "valkey"))]
impl StoreServer {
    pub(crate) fn kill(&mut self) {
        with!(self, server => server.kill());
    }

    pub(crate) fn restart(&mut self) {
        with!(self, server => server.restart());
    }

    pub(crate) fn wipe(&mut self) {
        with!(self, server => server.wipe());
    }

    /// From now on it has no room: it is asked, and told nothing.
    pub(crate) fn refuse_writes(&self) {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => _ = server.sql(&server.url(), NO_ROOM).unwrap(),
            #[cfg(feature = "valkey")]
            Self::Valkey(server) => set(server, "maxmemory", "1"),
        }
    }

    /// There is room again. Nobody's connection is cut for that.
    pub(crate) fn take_writes(&self) {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => {
                let room = "DROP FUNCTION no_room() CASCADE";
                server.sql(&server.url(), room).unwrap();
            }
            #[cfg(feature = "valkey")]
            Self::Valkey(server) => set(server, "maxmemory", "0"),
        }
    }
}

#[cfg(feature = "valkey")]
fn set(server: &Valkey, directive: &str, value: &str) {
    let answer = server.command(&["CONFIG", "SET", directive, value]);
    assert_eq!(answer.unwrap(), "+OK\r\n");
}

/// Whatever is written, the server says what it says when its disk is full.
#[cfg(feature = "postgres")]
const NO_ROOM: &str = "
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE disk_full; END $$;
    DO $$
        DECLARE name text;
        BEGIN
            FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'doorward' LOOP
                EXECUTE format('CREATE TRIGGER no_room BEFORE INSERT OR UPDATE OR DELETE ON doorward.%I
                                EXECUTE FUNCTION no_room()', name);
            END LOOP;
        END $$";

/// The section of the configuration, and the file that it names.
#[cfg(any(feature = "postgres", feature = "valkey"))]
fn section(dir: &std::path::Path, kind: &str, url: &str, password: &str) -> String {
    write(dir, "store-password", password);
    format!(
        "[store]\ntimeout = \"20s\"\nkind = \"{kind}\"\nurl = \"{url}\"\n\
         password_file = \"store-password\"\n\
         [keys]\nmaster_key_file = \"master-key\"\n"
    )
}

#[cfg(any(feature = "postgres", feature = "valkey"))]
impl World {
    /// Beside a database of its own in a server that is shared.
    #[cfg(feature = "postgres")]
    pub(crate) async fn on_postgres() -> Option<Self> {
        let server = Postgres::shared()?;
        Some(Self::in_database(server, &server.database()).await)
    }

    #[cfg(feature = "postgres")]
    pub(crate) async fn on_own_postgres() -> Option<Self> {
        let server = Postgres::start()?;
        let mut world = Self::in_database(&server, &server.url()).await;
        world.store = Some(StoreServer::Postgres(server));
        Some(world)
    }

    #[cfg(feature = "postgres")]
    async fn in_database(server: &Postgres, url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = url.replace(&format!(":{}@", server.password()), "@");
        let ca_file = server.ca_file();
        let store = section(dir.path(), "postgres", &url, server.password()).replace(
            "kind =",
            &format!("ca_file = \"{}\"\nkind =", ca_file.display()),
        );
        Self::start(dir, false, &store).await
    }

    #[cfg(feature = "valkey")]
    pub(crate) async fn on_valkey() -> Option<Self> {
        let server = Valkey::start()?;
        let dir = tempfile::tempdir().unwrap();
        let url = format!("redis://{}", server.address());
        let store = section(dir.path(), "valkey", &url, server.password());
        let mut world = Self::start(dir, false, &store).await;
        world.store = Some(StoreServer::Valkey(server));
        Some(world)
    }
}
