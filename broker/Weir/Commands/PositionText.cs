using System.Globalization;
using Weir.Cli.Output;
using Weir.Client;

namespace Weir.Cli.Commands;

/// <summary>Reads where to start or to move to: <c>earliest</c>, <c>latest</c>, <c>offset:N</c>, <c>timestamp:ISO</c>, <c>shift:N</c>.</summary>
internal static class PositionText
{
    private const string Offset = "offset:";
    private const string Timestamp = "timestamp:";
    private const string Shift = "shift:";

    /// <exception cref="UsageException">The text is none of these.</exception>
    public static ConsumerStart ReadStart(string text, string option)
    {
        if (text.Equals("earliest", StringComparison.OrdinalIgnoreCase))
        {
            return ConsumerStart.Earliest;
        }

        if (text.Equals("latest", StringComparison.OrdinalIgnoreCase))
        {
            return ConsumerStart.Latest;
        }

        if (TryReadNumber(text, Offset, NumberStyles.None) is { } offset)
        {
            return ConsumerStart.AtOffset(offset);
        }

        return TryReadTime(text) is { } time
            ? ConsumerStart.AtTimestamp(time)
            : throw Wrong(text, option, "earliest, latest, offset:N or timestamp:2026-01-31T12:00:00Z");
    }

    /// <exception cref="UsageException">The text is none of these.</exception>
    public static ResetTarget ReadTarget(string text, string option)
    {
        if (TryReadNumber(text, Shift, NumberStyles.AllowLeadingSign) is { } records)
        {
            return ResetTarget.By(records);
        }

        if (TryReadNumber(text, Offset, NumberStyles.None) is { } offset)
        {
            return ResetTarget.AtOffset(offset);
        }

        if (TryReadTime(text) is { } time)
        {
            return ResetTarget.AtTimestamp(time);
        }

        return text.ToLowerInvariant() switch
        {
            "earliest" => ResetTarget.Earliest,
            "latest" => ResetTarget.Latest,
            _ => throw Wrong(text, option, "earliest, latest, offset:N, timestamp:2026-01-31T12:00:00Z or shift:N"),
        };
    }

    private static long? TryReadNumber(string text, string prefix, NumberStyles style) =>
        text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
            && long.TryParse(text.AsSpan(prefix.Length), style, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    /// <summary>Without a zone it is UTC.</summary>
    private static DateTimeOffset? TryReadTime(string text) =>
        text.StartsWith(Timestamp, StringComparison.OrdinalIgnoreCase)
            && DateTimeOffset.TryParse(
                text.AsSpan(Timestamp.Length), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : null;

    private static UsageException Wrong(string text, string option, string choices) =>
        new($"{option} '{text}' is not {choices}");
}
