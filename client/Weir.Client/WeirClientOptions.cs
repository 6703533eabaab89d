using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Client.Connections;
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Client;

/// <summary>
/// How a client reaches its cluster. Read once by <see cref="WeirClient.ConnectAsync(WeirClientOptions, CancellationToken)"/>,
/// which checks all values together and reports every fault at once; later changes have no effect.
/// </summary>
public sealed class WeirClientOptions
{
    /// <summary>Brokers to ask first, <c>HOST:PORT[,HOST:PORT...]</c>; an IPv6 address stands in brackets.</summary>
    public string Servers { get; set; } = "127.0.0.1:9650";

    /// <summary>
    /// Reaches every broker through <see cref="Servers"/> alone: the broker that answers there passes connections on to the one
    /// that is meant. For clients outside of the brokers' network, behind a port-forward or a load balancer; every byte is sent
    /// once more, so leave it off where the brokers can be reached. Default: false.
    /// </summary>
    public bool ThroughServers { get; set; }

    /// <summary>Name of the application in the broker's logs, at most 255 bytes. Default: empty.</summary>
    public string ClientId { get; set; } = string.Empty;

    /// <summary>
    /// The cluster that must answer; a broker of another one is refused with <see cref="ErrorCode.WrongCluster"/>. Null
    /// accepts the first cluster that answers and holds to it from then on.
    /// </summary>
    public string? ClusterId { get; set; }

    /// <summary>Longest time of one attempt to connect, greet and authenticate. Default 10 s; 10 ms to 10 min.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A broker from which nothing comes for this long, not even the answer to a ping, while something is awaited, is taken for
    /// gone: its connection is closed and other brokers are asked. Default 3 s.
    /// </summary>
    public TimeSpan SilenceTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long one broker is waited for before others are asked beside it.</summary>
    internal TimeSpan Patience => SilenceTimeout / 3;

    /// <summary>
    /// Longest time of one request, retries included, and the silence after which a connection counts as lost.
    /// Default 30 s; 10 ms to 10 min.
    /// </summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Wait before the first attempt to reconnect or retry; doubled each time. Default 50 ms; 1 ms to 10 min.</summary>
    public TimeSpan ReconnectBackoff { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Longest such wait. Default 2 s; not below <see cref="ReconnectBackoff"/>, at most 10 min.</summary>
    public TimeSpan ReconnectBackoffMax { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Most bytes that one compressed batch may expand to; a larger one fails the enumeration before anything is
    /// allocated. Default 64 MiB; 1 KiB to 1 GiB.
    /// </summary>
    public int MaxUncompressedBatchBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>Where the client logs: connections at Information, faults at Warning. Default: nowhere.</summary>
    public ILoggerFactory LoggerFactory { get; set; } = NullLoggerFactory.Instance;

    /// <summary>The clock behind timeouts, linger and record timestamps. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Every fault of the values; empty if they can be used.</summary>
    internal List<string> FindFaults()
    {
        var faults = new List<string>();
        if (!ServerAddress.TryParseList(Servers, out _, out var fault))
        {
            faults.Add($"{nameof(Servers)}: {fault}");
        }

        CheckText(faults, nameof(ClientId), ClientId);
        CheckText(faults, nameof(ClusterId), ClusterId ?? "-");
        CheckTime(faults, nameof(ConnectTimeout), ConnectTimeout, TimeSpan.FromMilliseconds(10));
        CheckTime(faults, nameof(RequestTimeout), RequestTimeout, TimeSpan.FromMilliseconds(10));
        CheckTime(faults, nameof(ReconnectBackoff), ReconnectBackoff, TimeSpan.FromMilliseconds(1));
        CheckTime(faults, nameof(ReconnectBackoffMax), ReconnectBackoffMax, ReconnectBackoff);
        if (MaxUncompressedBatchBytes is < 1024 or > 1 << 30)
        {
            faults.Add($"{nameof(MaxUncompressedBatchBytes)}: {MaxUncompressedBatchBytes} is not from 1 KiB to 1 GiB");
        }

        if (LoggerFactory is null || TimeProvider is null)
        {
            faults.Add($"{nameof(LoggerFactory)} and {nameof(TimeProvider)} must not be null");
        }

        return faults;
    }

    internal WeirClientOptions Copy() => (WeirClientOptions)MemberwiseClone();

    private static void CheckTime(List<string> faults, string name, TimeSpan value, TimeSpan min)
    {
        if (value < min || value > TimeSpan.FromMinutes(10))
        {
            faults.Add($"{name}: {value} is not from {min} to 10 minutes");
        }
    }

    private static void CheckText(List<string> faults, string name, string? value)
    {
        if (value is null || System.Text.Encoding.UTF8.GetByteCount(value) > ProtocolLimits.ShortStringBytes)
        {
            faults.Add($"{name}: must be 0 to {ProtocolLimits.ShortStringBytes} bytes of UTF-8");
        }
    }
}
