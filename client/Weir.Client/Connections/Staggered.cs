namespace Weir.Client.Connections;

/// <summary>Ways to the same end, of which any will do.</summary>
internal static class Staggered
{
    /// <summary>
    /// Tries one way after the other, the next one also when those before have not ended for a while, and takes what succeeds
    /// first. The others are left to themselves.
    /// </summary>
    /// <param name="ways">At least one.</param>
    /// <param name="headStart">How long each has before the next one begins.</param>
    /// <param name="time">The clock.</param>
    /// <param name="ct">Ends the waiting.</param>
    /// <exception cref="WeirException">All failed: the code of the last, the texts of all.</exception>
    public static async Task<T> FirstAsync<T>(
        IReadOnlyList<Func<Task<T>>> ways, TimeSpan headStart, TimeProvider time, CancellationToken ct)
    {
        var running = new List<Task<T>>(ways.Count);
        WeirException? error = null;
        for (var next = 0; ;)
        {
            if (next < ways.Count)
            {
                running.Add(ways[next++]());
            }

            if (running.Count == 0)
            {
                throw error!;
            }

            try
            {
                var any = Task.WhenAny(running);
                var ended = await (next < ways.Count ? any.WaitAsync(headStart, time, ct) : any.WaitAsync(ct)).ConfigureAwait(false);
                running.Remove(ended);
                return await ended.ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // The next one begins beside it.
            }
            catch (WeirException e)
            {
                error = error is null ? e : new WeirException(e.Code, $"{error.Message}; {e.Message}", error);
            }
        }
    }
}
