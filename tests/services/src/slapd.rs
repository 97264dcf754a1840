//! OpenLDAP's server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::folder::Folder;
use crate::process::{Process, controlled};
use crate::{Certificate, find, or_skip, port, random_password};

/// Where Debian's package keeps schemas and modules.
const SCHEMAS: &str = "/etc/ldap/schema";
const MODULES: &str = "/usr/lib/ldap";

/// A server for the tree below [`Self::SUFFIX`]: LDAP with StartTLS on one port, LDAPS on another.
/// Everybody may read all but passwords, and bind; only the administrator may write.
#[derive(Debug)]
pub struct Slapd {
    process: Process,
    program: PathBuf,
    client: PathBuf,
    port: u16,
    tls_port: u16,
    certificate: Certificate,
    password: String,
    ldif: String,
}

controlled!(Slapd);

impl Slapd {
    /// The tree it serves. The test's LDIF has to begin with this entry.
    pub const SUFFIX: &'static str = "dc=example,dc=com";
    /// Who may do anything.
    pub const ADMINISTRATOR: &'static str = "cn=admin,dc=example,dc=com";

    /// A new server with these entries; nothing if the program is missing.
    pub fn start(ldif: &str) -> Option<Self> {
        Self::start_with(ldif, "")
    }

    /// The same, with further lines of slapd.conf(5) for the database, such as `overlay ppolicy`. The
    /// modules memberof, ppolicy, refint and pw-sha2 are loaded.
    ///
    /// # Panics
    /// If it does not start, or refuses the entries.
    pub fn start_with(ldif: &str, database: &str) -> Option<Self> {
        let (program, client) = programs()?;
        // Somebody may take a port between our look and its start.
        for _ in 0..10 {
            let folder = Folder::new();
            let (port, tls_port) = (port::free(), port::free());
            let certificate = Certificate::new();
            let password = random_password();
            let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
            write("ca.pem", &certificate.ca_pem);
            write("cert.pem", &certificate.cert_pem);
            write("key.pem", &certificate.key_pem);
            write("password", &password);
            write("entries.ldif", ldif);
            write("slapd.conf", &config(folder.path(), &password, database));
            let mut command = Command::new(&program);
            command.args(["-d", "0", "-f", "slapd.conf", "-h"]);
            command.arg(format!(
                "ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/"
            ));
            let mut slapd = Self {
                process: Process::new(command, folder),
                program: program.clone(),
                client: client.clone(),
                port,
                tls_port,
                certificate,
                password,
                ldif: ldif.to_owned(),
            };
            slapd.load();
            if slapd.run() {
                return Some(slapd);
            }
            let output = slapd.process.output();
            // Told to say little, it may not even say that.
            assert!(output.is_empty() || output.contains("in use"), "{output}");
        }
        panic!("slapd does not start");
    }

    /// Whether the programs are installed. If not, says so as `start` does.
    pub fn available() -> bool {
        programs().is_some()
    }

    /// Where it listens; TLS by StartTLS.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where it listens with TLS.
    pub fn tls_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.tls_port).into()
    }

    /// `ldap://`. With the address: OpenLDAP's clients take `localhost` for the machine's own name,
    /// which is not in the certificate.
    pub fn url(&self) -> String {
        format!("ldap://{}", self.address())
    }

    /// `ldaps://`.
    pub fn tls_url(&self) -> String {
        format!("ldaps://{}", self.tls_address())
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The authority's certificate in a file.
    pub fn ca_file(&self) -> PathBuf {
        self.process.folder().path().join("ca.pem")
    }

    /// The password of [`Self::ADMINISTRATOR`].
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Changes entries as the administrator, with ldapmodify.
    ///
    /// # Errors
    /// What ldapmodify said.
    ///
    /// # Panics
    /// If the changes cannot be written to a file.
    pub fn modify(&self, changes: &str) -> Result<(), String> {
        let file = self.process.folder().path().join("changes.ldif");
        fs::write(&file, changes).unwrap();
        let mut command = self.client_command("ldapmodify");
        let done = command.arg("-f").arg(file).output().unwrap();
        if done.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&done.stderr).into_owned())
        }
    }

    /// Starts it again with the same ports and the entries it had at first.
    ///
    /// # Panics
    /// If it does not start.
    pub fn wipe(&mut self) {
        self.kill();
        fs::remove_dir_all(self.process.folder().path().join("data")).unwrap();
        self.load();
        self.restart();
    }

    /// Puts the entries into an empty database.
    fn load(&self) {
        let folder = self.process.folder().path();
        fs::create_dir(folder.join("data")).unwrap();
        if self.ldif.is_empty() {
            return;
        }
        // The program is the server; by another name it loads.
        let done = Command::new(&self.program)
            .args(["-T", "add", "-f", "slapd.conf", "-l", "entries.ldif"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn run(&mut self) -> bool {
        let mut ask = self.client_command("ldapwhoami");
        ask.stdout(Stdio::null()).stderr(Stdio::null());
        self.process.start(|| ask.status().unwrap().success())
    }

    /// One of OpenLDAP's clients, as the administrator.
    fn client_command(&self, program: &str) -> Command {
        let mut command = Command::new(self.client.with_file_name(program));
        // Not `-w`, which all users of the machine can see.
        command
            .args(["-x", "-D", Self::ADMINISTRATOR, "-y", "password", "-H"])
            .arg(self.url())
            .current_dir(self.process.folder().path());
        command
    }
}

fn programs() -> Option<(PathBuf, PathBuf)> {
    let found = find("slapd").zip(find("ldapwhoami"));
    or_skip(found, "slapd with ldapwhoami", "slapd and ldap-utils")
}

fn config(folder: &Path, password: &str, database: &str) -> String {
    let folder = folder.display();
    let (suffix, administrator) = (Slapd::SUFFIX, Slapd::ADMINISTRATOR);
    let mut config = String::new();
    for schema in ["core", "cosine", "inetorgperson", "nis"] {
        config += &format!("include {SCHEMAS}/{schema}.schema\n");
    }
    config += &format!("modulepath {MODULES}\n");
    for module in ["back_mdb", "memberof", "ppolicy", "refint", "pw-sha2"] {
        config += &format!("moduleload {module}\n");
    }
    config += &format!(
        "pidfile {folder}/pid\n\
         argsfile {folder}/args\n\
         TLSCACertificateFile {folder}/ca.pem\n\
         TLSCertificateFile {folder}/cert.pem\n\
         TLSCertificateKeyFile {folder}/key.pem\n\
         database mdb\n\
         directory {folder}/data\n\
         maxsize 67108864\n\
         suffix \"{suffix}\"\n\
         rootdn \"{administrator}\"\n\
         rootpw {password}\n\
         index objectClass,uid,member eq\n\
         access to attrs=userPassword by anonymous auth by self write by * none\n\
         access to * by * read\n"
    );
    config + database + "\n"
}
