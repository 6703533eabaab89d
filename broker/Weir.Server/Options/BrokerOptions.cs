using System.Net;

namespace Weir.Server.Options;

/// <summary>
/// A broker's settings, from file, environment (<c>WEIR_…</c>) and command line. They are checked together at start: every
/// fault is reported at once by <see cref="BrokerOptionsValidator"/>.
/// </summary>
public sealed class BrokerOptions
{
    /// <summary>Directory of everything the broker keeps. Required; created if it is missing.</summary>
    public string Data { get; set; } = string.Empty;

    /// <summary>Address and port of the protocol. Default 127.0.0.1:9650; port 0 takes a free one.</summary>
    public string Listen { get; set; } = "127.0.0.1:9650";

    /// <summary>HOST:PORT that clients are told to connect to; empty for the listening address.</summary>
    public string Advertise { get; set; } = string.Empty;

    /// <summary>Address and port of /healthz, /readyz and /metrics; <c>none</c> for no endpoint. Default 127.0.0.1:9651.</summary>
    public string Http { get; set; } = "127.0.0.1:9651";

    /// <summary>This broker's id in the cluster, from 0.</summary>
    public int NodeId { get; set; }

    /// <summary>
    /// The voters of the metadata quorum as ID@HOST:PORT,…, this broker among them if it shall vote; the same on all of them.
    /// Empty for a cluster of one. A cluster is created only once all of them run.
    /// </summary>
    public string ClusterPeers { get; set; } = string.Empty;

    /// <summary>Its rack: replicas are spread over racks. Empty for none.</summary>
    public string Rack { get; set; } = string.Empty;

    /// <summary>
    /// Secret by which the brokers of a cluster know each other, the same on all of them. Without one, only loopback and
    /// <see cref="UnsafeAllowAnonymous"/> are allowed.
    /// </summary>
    public string ClusterSecret { get; set; } = string.Empty;

    /// <summary>
    /// Accept clients without authentication on an address that is not loopback. Anyone who can reach the port can then read,
    /// write and delete everything.
    /// </summary>
    public bool UnsafeAllowAnonymous { get; set; }

    /// <summary>Most connections at once; further ones are closed. Default 20,000.</summary>
    public int MaxConnections { get; set; } = 20_000;

    /// <summary>Largest frame from an authenticated client, in bytes. Default 36 MiB, from 64 KiB to 64 MiB.</summary>
    public int MaxFrameBytes { get; set; } = 36 * 1024 * 1024;

    /// <summary>Bytes of produce requests that may wait for their response at once on a connection. Default 16 MiB.</summary>
    public int ProduceWindowBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Bytes that all connections together may hold in receive buffers beyond 16 KiB each. Default 128 MiB.</summary>
    public long ReceiveBufferBytes { get; set; } = 128L * 1024 * 1024;

    /// <summary>Bytes of recent records that are kept in memory for readers at the tail. Default 64 MiB.</summary>
    public long TailMemoryBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>Produce is refused while the file system has less than this free. Default 64 MiB.</summary>
    public long MinFreeBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>A connection must have sent its hello and authenticated within this time. Default 10 s.</summary>
    public TimeSpan HandshakeTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>A connection that takes nothing of what is sent to it for this long is closed. Default 60 s.</summary>
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How often retention is applied. Default 30 s.</summary>
    public TimeSpan RetentionInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>A broker that is not heard from for this long is fenced: others lead its partitions. Default 1.2 s.</summary>
    public TimeSpan BrokerSessionTimeout { get; set; } = TimeSpan.FromMilliseconds(1200);

    /// <summary>A follower that is behind for this long leaves the in-sync replicas. Default 3 s.</summary>
    public TimeSpan ReplicaLagTime { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>Bytes per second that are read in search of damage. Default 4 MiB; 0 for none.</summary>
    public long ScrubBytesPerSecond { get; set; } = 4 * 1024 * 1024;

    /// <summary>Bytes per second that compaction reads and writes, all partitions together. Default 64 MiB.</summary>
    public long CompactionBytesPerSecond { get; set; } = 64 * 1024 * 1024;

    /// <summary>How often it is looked whether a partition of an entity topic should be compacted. Default 15 s.</summary>
    public TimeSpan CompactionInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a stop waits for others to take over its leaderships. Default 10 s.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Most partitions of the cluster. Default 20,000.</summary>
    public int MaxPartitions { get; set; } = 20_000;

    internal IPEndPoint ListenEndPoint => IPEndPoint.Parse(Listen);

    internal IPEndPoint? HttpEndPoint => Http == "none" ? null : IPEndPoint.Parse(Http);
}
