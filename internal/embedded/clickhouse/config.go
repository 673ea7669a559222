// Package clickhouse runs the embedded ClickHouse: the real engine, as a library in a
// child process of the same binary, behind ClickHouse's own HTTP interface.
//
// A child, since the engine's memory and its crashes are then not ours; a real HTTP
// front, so that every client of ClickHouse works and the rest of Millrace knows one
// protocol. It exists on Linux on x86-64 with glibc; elsewhere Start says so.
package clickhouse

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// ChildCommand is the hidden first argument that makes the binary the engine's child.
const ChildCommand = "internal-clickhouse"

// User is the name of Millrace's own role; everybody else reads.
const User = "millrace"

// Config says where the engine keeps its data and listens.
type Config struct {
	// Dir holds the engine's data; one process at a time.
	Dir string `json:"dir"`
	// Listen is a loopback address, host:port.
	Listen string `json:"listen"`
	// Library is the path of libchdb.so.
	Library string `json:"library"`
	// Password is that of Millrace's own role.
	Password string `json:"password"`
	// MaxMemory bounds the engine, in bytes.
	MaxMemory int64 `json:"max_memory"`
}

// Limits of what strangers may ask, and of the front.
const (
	outsideSeconds    = 60
	outsideMemory     = 1 << 30
	maxWholeResult    = 256 << 20 // of formats that cannot be streamed, in the engine's blocks and as it is sent
	maxStatement      = 16 << 20
	maxInside         = 8  // statements of Millrace's own at a time
	maxOutside        = 24 // statements of strangers
	insertChunk       = 1 << 20
	shutdownTimeout   = 10 * time.Second
	readHeaderTimeout = 10 * time.Second
	statementTimeout  = 30 * time.Second // within which a stranger's statement must have come
	pieceTimeout      = 60 * time.Second // within which a piece of an answer must be taken
)

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.Dir == "" || c.Library == "" || c.Password == "" {
		return errors.New("clickhouse: the embedded engine needs a data folder, its library and a password")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("clickhouse.listen: %q is not host:port: %w", c.Listen, err)
	}
	if c.MaxMemory < 256<<20 {
		return fmt.Errorf("clickhouse: max_memory must be at least 256 MiB, got %d bytes", c.MaxMemory)
	}
	return nil
}

// DSN is where Millrace's own role reaches an engine that listens at addr.
func (c Config) DSN(addr, database string) string {
	u := url.URL{Scheme: "http", User: url.UserPassword(User, c.Password), Host: addr, Path: "/" + database}
	return u.String()
}

func (c Config) args() []string {
	return []string{
		"clickhouse", "--path=" + filepath.Join(c.Dir, "data"),
		"--config-file=" + c.configFile(),
	}
}

// outsideRole is the engine's role of strangers; its grants hold whatever guard oversees.
const outsideRole = "outside"

// keepFreeBytes is what the engine leaves of the disk: below it no insert or merge begins. A
// merge that meets a full disk amid its files may put a broken part in place of sound ones.
// The broker takes no inputs from 256 MiB on, so that what it has can still be stored.
const keepFreeBytes = 128 << 20

// engineConfig is the engine's own configuration: what is acknowledged is on disk, also
// when merges have made other files of it, and a
// connection that takes the role of strangers reads tables and nothing else. The engine
// knows one user, whose rights are those of the roles that a connection has taken.
func (c Config) engineConfig() string {
	return fmt.Sprintf(`<clickhouse>
  <user_directories><users_xml><path>%s</path></users_xml></user_directories>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <roles>
    <inside><grants><query>GRANT ALL ON *.*</query></grants></inside>
    <outside><grants>
      <query>GRANT SHOW, SELECT ON *.*</query>
      <query>GRANT CREATE TEMPORARY TABLE ON *.*</query><!-- for numbers() and its like -->
    </grants></outside>
  </roles>
  <users><default>
    <password/>
    <networks><ip>::/0</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
    <grants><query>GRANT inside</query><query>GRANT outside</query></grants>
  </default></users>
  <max_server_memory_usage>%d</max_server_memory_usage>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>
  </merge_tree>
  <storage_configuration><disks><default><keep_free_space_bytes>%d</keep_free_space_bytes></default></disks></storage_configuration>
  <background_pool_size>2</background_pool_size>
  <mark_cache_size>67108864</mark_cache_size>
</clickhouse>
`, escapeXML(c.configFile()), c.MaxMemory, keepFreeBytes)
}

func (c Config) configFile() string { return filepath.Join(c.Dir, "config.xml") }

func escapeXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
