// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>The body of a response whose error flag is set, whatever API it answers.</summary>
public sealed class ErrorMessage : IMessage
{
    public ErrorCode Error { get; set; }

    public int RetryAfterMs { get; set; }

    public string Text { get; set; } = string.Empty;

    public long? LeaderId { get; set; }

    public string? LeaderAddress { get; set; }

    /// <summary>Cuts a text to what fits the wire.</summary>
    public static ErrorMessage Create(ErrorCode code, string text) => new()
    {
        Error = code,
        Text = text.Length <= ProtocolLimits.ErrorTextBytes / 4 ? text : text[..(ProtocolLimits.ErrorTextBytes / 4)],
    };

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "Error code.");
        RetryAfterMs = c.Int32("retryAfterMs", RetryAfterMs, "Wait this long before a retry; 0 leaves it to the client.");
        Text = c.String("text", Text, ProtocolLimits.ErrorTextBytes, "What happened, for people.");
        c.BeginTags();
        LeaderId = c.TaggedInt64(1, "leaderId", LeaderId, "With NotLeader: the leader's node id, if known.");
        LeaderAddress = c.TaggedString(
            2, "leaderAddress", LeaderAddress, ProtocolLimits.ShortStringBytes, "With NotLeader: its host:port.");
        c.EndTags();
    }
}
