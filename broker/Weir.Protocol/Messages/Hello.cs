// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>The versions of one API that a side speaks.</summary>
public sealed class ApiRange : IMessage
{
    public ApiKey Api { get; set; }

    public ushort MinVersion { get; set; }

    public ushort MaxVersion { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Api = (ApiKey)c.UInt16("api", (ushort)Api, "API key.");
        MinVersion = c.UInt16("minVersion", MinVersion, "Lowest version spoken.");
        MaxVersion = c.UInt16("maxVersion", MaxVersion, "Highest version spoken.");
    }
}

/// <summary>The first request on a connection. Its layout up to <c>apis</c> is the same in every version.</summary>
public sealed class HelloRequest : IRequest<HelloResponse>
{
    /// <summary>"WEIR" in ASCII, read as a little-endian u32.</summary>
    public const uint ExpectedMagic = 0x52494557;

    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Hello;

    public uint Magic { get; set; } = ExpectedMagic;

    public string? ClusterId { get; set; }

    public int NodeId { get; set; } = -1;

    public string SdkName { get; set; } = string.Empty;

    public string SdkVersion { get; set; } = string.Empty;

    public string ClientId { get; set; } = string.Empty;

    public ApiRange[] Apis { get; set; } = [];

    public long? PassOn { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Magic = c.UInt32("magic", Magic, "The bytes `WEIR` (57 45 49 52).");
        ClusterId = c.NullableString(
            "clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster the client expects; null for any.");
        NodeId = c.Int32("nodeId", NodeId, "The node the client expects; -1 for any.");
        SdkName = c.String("sdkName", SdkName, ProtocolLimits.ShortStringBytes, "The client library.");
        SdkVersion = c.String("sdkVersion", SdkVersion, ProtocolLimits.ShortStringBytes, "Its version.");
        ClientId = c.String("clientId", ClientId, ProtocolLimits.ShortStringBytes, "The application, for logs; may be empty.");
        Apis = c.Array("apis", Apis, ProtocolLimits.ApiRanges, "What the client speaks.");
        c.BeginTags();
        PassOn = c.TaggedInt64(
            1, "passOn", PassOn,
            "1: another broker than the node that is expected connects to that one, and passes on all bytes of both sides from this message on.");
        c.EndTags();
    }
}

/// <summary>What the broker is and speaks.</summary>
public sealed class HelloResponse : IMessage
{
    public string ClusterId { get; set; } = string.Empty;

    public int NodeId { get; set; }

    public string BrokerVersion { get; set; } = string.Empty;

    public int MaxFrameBytes { get; set; }

    public int ProduceWindowBytes { get; set; }

    public string[] Mechanisms { get; set; } = [];

    public ApiRange[] Apis { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String("clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster's id.");
        NodeId = c.Int32("nodeId", NodeId, "This broker's id.");
        BrokerVersion = c.String("brokerVersion", BrokerVersion, ProtocolLimits.ShortStringBytes, "Its version.");
        MaxFrameBytes = c.Int32("maxFrameBytes", MaxFrameBytes, "Largest frame it accepts after authentication.");
        ProduceWindowBytes = c.Int32(
            "produceWindowBytes", ProduceWindowBytes,
            "Bytes of produce requests that may wait for their response at once on this connection.");
        Mechanisms = c.StringArray(
            "mechanisms", Mechanisms, 16, ProtocolLimits.ShortStringBytes, "Mechanisms that this listener accepts.");
        Apis = c.Array("apis", Apis, ProtocolLimits.ApiRanges, "What the broker speaks.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Proves an identity. <c>anonymous</c> takes no proof and is accepted on loopback listeners only.</summary>
public sealed class AuthenticateRequest : IRequest<AuthenticateResponse>
{
    /// <summary>The mechanism without a proof.</summary>
    public const string Anonymous = "anonymous";

    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Authenticate;

    public string Mechanism { get; set; } = Anonymous;

    public byte[] Proof { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Mechanism = c.String("mechanism", Mechanism, ProtocolLimits.ShortStringBytes, "One of the hello's mechanisms.");
        Proof = c.Bytes("proof", Proof, ProtocolLimits.AuthenticationBytes, "The mechanism's bytes.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The outcome of one authentication step.</summary>
public sealed class AuthenticateResponse : IMessage
{
    public bool Done { get; set; }

    public string Principal { get; set; } = string.Empty;

    public byte[] Challenge { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Done = c.Boolean("done", Done, "Whether the connection is authenticated now.");
        Principal = c.String("principal", Principal, ProtocolLimits.ShortStringBytes, "Who the client is.");
        Challenge = c.Bytes("challenge", Challenge, ProtocolLimits.AuthenticationBytes, "The mechanism's next bytes.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A body without fields, open for tagged ones.</summary>
public sealed class EmptyMessage : IMessage
{
    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Shows that the other side lives.</summary>
public sealed class PingRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Ping;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The broker asks its client to reconnect elsewhere or later.</summary>
public sealed class DrainPush : IPush
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Drain;

    public string Reason { get; set; } = string.Empty;

    public int ReconnectAfterMs { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Reason = c.String("reason", Reason, ProtocolLimits.ErrorTextBytes, "Why, for people.");
        ReconnectAfterMs = c.Int32("reconnectAfterMs", ReconnectAfterMs, "When to try this broker again.");
        c.BeginTags();
        c.EndTags();
    }
}
