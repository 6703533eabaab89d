namespace Weir.Operator.Hosting;

/// <summary>Asks an operator how it is: the image has nothing else that could.</summary>
internal static class HealthCheck
{
    /// <summary>Whether an address answers well.</summary>
    public static async Task<bool> RunAsync(Uri address)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        try
        {
            using var response = await client.GetAsync(address);
            Console.Out.WriteLine($"{address}: {(int)response.StatusCode} {(await response.Content.ReadAsStringAsync()).Trim()}");
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            Console.Error.WriteLine($"{address}: {e.Message}");
            return false;
        }
    }
}
