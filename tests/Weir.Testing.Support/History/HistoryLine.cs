using System.Text.Json.Serialization;
using Weir.Protocol.Messages;

namespace Weir.Testing.Support.History;

/// <summary>A line of a history file: its header, a declared gap or an operation.</summary>
internal sealed record HistoryLine
{
    /// <summary>"history", "gap" or the kind of an operation.</summary>
    public required string Kind { get; init; }

    public long? TicksPerSecond { get; init; }

    public int? Id { get; init; }

    public int? Process { get; init; }

    public long? Invoked { get; init; }

    public long? Completed { get; init; }

    public Outcome? Outcome { get; init; }

    public bool? Final { get; init; }

    public string? Topic { get; init; }

    public int? Partition { get; init; }

    public long? Value { get; init; }

    public long? Offset { get; init; }

    public Acks? Acks { get; init; }

    public int? Batch { get; init; }

    public long? From { get; init; }

    public long? To { get; init; }

    public GapReason? Reason { get; init; }

    public List<SliceLine>? Reads { get; init; }
}

/// <summary>What an operation says of a partition.</summary>
internal sealed record SliceLine
{
    public required string Topic { get; init; }

    public required int Partition { get; init; }

    public long? Position { get; init; }

    public long? End { get; init; }

    public long[]? Offsets { get; init; }

    public long[]? Values { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(HistoryLine))]
internal sealed partial class HistoryLineContext : JsonSerializerContext;
