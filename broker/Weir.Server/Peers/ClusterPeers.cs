using System.Collections.Immutable;
using System.Globalization;
using Weir.Metadata.Quorum;

namespace Weir.Server.Peers;

/// <summary>Reads the list of configured voters: ID@HOST:PORT,…</summary>
internal static class ClusterPeers
{
    /// <summary>Reads a list that was checked.</summary>
    public static ImmutableArray<Voter> Parse(string text) =>
        TryParse(text, out var peers, out var fault) ? peers : throw new FormatException(fault);

    /// <summary>Reads a list; empty for none.</summary>
    /// <param name="text">The list.</param>
    /// <param name="peers">The voters, their data directories not known yet.</param>
    /// <param name="fault">What is wrong, if it is; with what to do.</param>
    public static bool TryParse(string text, out ImmutableArray<Voter> peers, out string fault)
    {
        fault = string.Empty;
        var found = ImmutableArray.CreateBuilder<Voter>();
        foreach (var entry in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var at = entry.IndexOf('@', StringComparison.Ordinal);
            var colon = entry.LastIndexOf(':');
            if (at <= 0 || colon <= at + 1
                || !int.TryParse(entry.AsSpan(0, at), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                || !ushort.TryParse(entry.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
                || port == 0)
            {
                fault = $"'{entry}' is not ID@HOST:PORT, as 1@broker-1.example:9650.";
                peers = [];
                return false;
            }

            if (found.Any(peer => peer.NodeId == id))
            {
                fault = $"node id {id} is listed twice.";
                peers = [];
                return false;
            }

            found.Add(new Voter(id, Guid.Empty, entry[(at + 1)..colon].Trim('[', ']'), port));
        }

        peers = found.ToImmutable();
        return true;
    }
}
