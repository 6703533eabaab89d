namespace Weir.Metadata;

/// <summary>Guesses what somebody meant by a name that is not known.</summary>
public static class NearestName
{
    /// <summary>The known name with the smallest Levenshtein distance, case left aside.</summary>
    public static string Find(IEnumerable<string> known, string name) =>
        known.MinBy(candidate => Distance(candidate.ToLowerInvariant(), name.ToLowerInvariant()))!;

    private static int Distance(string one, string other)
    {
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (one[i - 1] == other[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
