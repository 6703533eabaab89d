using System.Net;
using Microsoft.Extensions.Options;
using Weir.Protocol.Wire;

namespace Weir.Server.Options;

/// <summary>Checks all of <see cref="BrokerOptions"/> and reports every fault at once, each with what to do.</summary>
public sealed class BrokerOptionsValidator : IValidateOptions<BrokerOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, BrokerOptions options)
    {
        var faults = new List<string>();
        Require(faults, options.Data.Length > 0, "Data: name a directory with --data DIR.");
        var isListenValid = TryParse(options.Listen, out var listen);
        Require(faults, isListenValid, $"Listen: '{options.Listen}' is not ADDRESS:PORT, as 127.0.0.1:9650.");
        Require(
            faults, options.Http == "none" || TryParse(options.Http, out _),
            $"Http: '{options.Http}' is neither ADDRESS:PORT nor none.");
        Require(
            faults, !isListenValid || IPAddress.IsLoopback(listen!.Address) || options.UnsafeAllowAnonymous,
            $"Listen: {options.Listen} is not a loopback address and clients do not authenticate yet; listen on 127.0.0.1, or "
                + "set UnsafeAllowAnonymous=true if everyone who can reach the port may read, write and delete everything.");
        Require(
            faults, options.Advertise.Length == 0 || IsHostPort(options.Advertise),
            $"Advertise: '{options.Advertise}' is not HOST:PORT.");
        Require(faults, options.NodeId >= 0, "NodeId: must be 0 or more.");
        if (!Peers.ClusterPeers.TryParse(options.ClusterPeers, out _, out var peerFault))
        {
            faults.Add($"ClusterPeers: {peerFault}");
        }

        Require(faults, options.BrokerSessionTimeout >= TimeSpan.FromMilliseconds(200), "BrokerSessionTimeout: must be 200 ms or more.");
        Require(faults, options.ReplicaLagTime >= TimeSpan.FromMilliseconds(200), "ReplicaLagTime: must be 200 ms or more.");
        Require(faults, options.ScrubBytesPerSecond >= 0, "ScrubBytesPerSecond: must be 0 or more.");
        Require(faults, options.CompactionBytesPerSecond >= 64 * 1024, "CompactionBytesPerSecond: must be 65536 or more.");
        Require(faults, options.CompactionInterval > TimeSpan.Zero, "CompactionInterval: must be positive.");
        Require(faults, options.DrainTimeout >= TimeSpan.Zero, "DrainTimeout: must not be negative.");
        Require(faults, options.MaxConnections >= 1, "MaxConnections: must be 1 or more.");
        Require(
            faults, options.MaxFrameBytes is >= 64 * 1024 and <= ProtocolLimits.FrameBytes,
            $"MaxFrameBytes: must be from 65536 to {ProtocolLimits.FrameBytes}.");
        Require(faults, options.ProduceWindowBytes >= 64 * 1024, "ProduceWindowBytes: must be 65536 or more.");
        Require(
            faults, options.ReceiveBufferBytes >= options.MaxFrameBytes, "ReceiveBufferBytes: must hold one MaxFrameBytes.");
        Require(faults, options.TailMemoryBytes >= 1024 * 1024, "TailMemoryBytes: must be 1048576 or more.");
        Require(faults, options.MinFreeBytes >= 0, "MinFreeBytes: must be 0 or more.");
        Require(faults, options.HandshakeTimeout > TimeSpan.Zero, "HandshakeTimeout: must be positive.");
        Require(faults, options.SendTimeout > TimeSpan.Zero, "SendTimeout: must be positive.");
        Require(faults, options.RetentionInterval > TimeSpan.Zero, "RetentionInterval: must be positive.");
        Require(faults, options.MaxPartitions >= 1, "MaxPartitions: must be 1 or more.");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private static bool TryParse(string text, out IPEndPoint? endPoint) =>
        IPEndPoint.TryParse(text, out endPoint) && text.Contains(':', StringComparison.Ordinal);

    private static bool IsHostPort(string text)
    {
        var colon = text.LastIndexOf(':');
        return colon > 0 && ushort.TryParse(text.AsSpan(colon + 1), out var port) && port > 0;
    }

    private static void Require(List<string> faults, bool holds, string fault)
    {
        if (!holds)
        {
            faults.Add(fault);
        }
    }
}
