using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Weir.Cli.Output;
using Weir.Storage.Files;

namespace Weir.Cli.Perf;

/// <summary>What this machine can do at most, by the plainest code there is.</summary>
/// <param name="LoopbackMegabytesPerSecond">One TCP connection over loopback, one direction.</param>
/// <param name="RoundTripMicroseconds">64 bytes there and back over loopback.</param>
/// <param name="SequentialWriteMegabytesPerSecond">8 MiB writes into a preallocated file, each followed by fdatasync.</param>
/// <param name="SyncMicroseconds">A 4 KiB write into a preallocated file with fdatasync.</param>
internal sealed record MachineLimits(
    double LoopbackMegabytesPerSecond, Percentiles RoundTripMicroseconds, double SequentialWriteMegabytesPerSecond,
    Percentiles SyncMicroseconds)
{
    private const int WriteBytes = 8 * 1024 * 1024;
    private const int StreamBytes = 1024 * 1024;
    private const int PingBytes = 64;

    /// <summary>The lower of disk and network: what durable publishing cannot exceed.</summary>
    public double PublishMegabytesPerSecond => Math.Min(LoopbackMegabytesPerSecond, SequentialWriteMegabytesPerSecond);

    /// <summary>What one synchronous durable publish cannot undercut: a round trip and a sync.</summary>
    public double PublishMicroseconds => RoundTripMicroseconds.P50 + SyncMicroseconds.P50;

    /// <summary>Measures in a directory on the disk of interest.</summary>
    /// <param name="directory">Where the test file is written and deleted.</param>
    /// <param name="isQuick">A quarter of the work, for a ratio in passing.</param>
    public static MachineLimits Measure(string directory, bool isQuick)
    {
        Terminal.WriteProgress("measuring loopback");
        var (throughput, roundTrip) = MeasureLoopback(isQuick ? 512L << 20 : 4L << 30, isQuick ? 2_000 : 20_000);
        Terminal.WriteProgress("measuring disk");
        var scratch = Directory.CreateDirectory(Path.Combine(directory, $"weir-limits-{Environment.ProcessId}"));
        try
        {
            using var files = new PhysicalLogFiles(scratch.FullName);
            var write = MeasureSequentialWrite(files, isQuick ? 512L << 20 : 2L << 30);
            var sync = MeasureSync(files, isQuick ? 500 : 4_000);
            return new MachineLimits(throughput, roundTrip, write, sync);
        }
        finally
        {
            scratch.Delete(recursive: true);
            Terminal.WriteProgress(string.Empty);
        }
    }

    private static (double Throughput, Percentiles RoundTrip) MeasureLoopback(long bytes, int pings)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var server = new Thread(() => ServeLoopback(listener, bytes, pings)) { IsBackground = true };
        server.Start();
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.Connect(IPAddress.Loopback, port);
        var latency = new LatencyRecorder();
        var buffer = new byte[StreamBytes];
        for (var i = 0; i < pings; i++)
        {
            var started = Stopwatch.GetTimestamp();
            client.Send(buffer, PingBytes, SocketFlags.None);
            ReceiveAll(client, buffer.AsSpan(0, PingBytes));
            latency.Record(Stopwatch.GetElapsedTime(started));
        }

        var stopwatch = Stopwatch.StartNew();
        for (var left = bytes; left > 0;)
        {
            left -= client.Receive(buffer);
        }

        var seconds = stopwatch.Elapsed.TotalSeconds;
        server.Join();
        return (bytes / 1e6 / seconds, latency.ToPercentiles());
    }

    private static void ServeLoopback(TcpListener listener, long bytes, int pings)
    {
        using var peer = listener.AcceptSocket();
        peer.NoDelay = true;
        var buffer = new byte[StreamBytes];
        for (var i = 0; i < pings; i++)
        {
            ReceiveAll(peer, buffer.AsSpan(0, PingBytes));
            peer.Send(buffer, PingBytes, SocketFlags.None);
        }

        for (var left = bytes; left > 0;)
        {
            left -= peer.Send(buffer, (int)Math.Min(buffer.Length, left), SocketFlags.None);
        }
    }

    private static void ReceiveAll(Socket socket, Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            buffer = buffer[socket.Receive(buffer)..];
        }
    }

    private static double MeasureSequentialWrite(PhysicalLogFiles files, long bytes)
    {
        using var file = files.Open("sequential", OpenKind.Create);
        file.Allocate(bytes);
        file.Sync();
        var block = NonZero(WriteBytes);
        var stopwatch = Stopwatch.StartNew();
        for (long position = 0; position < bytes; position += WriteBytes)
        {
            file.Write(block, position);
            file.Sync();
        }

        return bytes / 1e6 / stopwatch.Elapsed.TotalSeconds;
    }

    private static Percentiles MeasureSync(PhysicalLogFiles files, int writes)
    {
        const int BlockBytes = 4096;
        using var file = files.Open("sync", OpenKind.Create);
        file.Allocate((long)writes * BlockBytes);
        file.Sync();
        var block = NonZero(BlockBytes);
        var latency = new LatencyRecorder();
        for (var i = 0; i < writes; i++)
        {
            var started = Stopwatch.GetTimestamp();
            file.Write(block, (long)i * BlockBytes);
            file.Sync();
            latency.Record(Stopwatch.GetElapsedTime(started));
        }

        return latency.ToPercentiles();
    }

    private static byte[] NonZero(int bytes)
    {
        var block = new byte[bytes];
        block.AsSpan().Fill(0x5A);
        return block;
    }
}
