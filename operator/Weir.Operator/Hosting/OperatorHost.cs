using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Prometheus;
using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Hosting;

/// <summary>Puts the operator into a generic host with its HTTP endpoint.</summary>
internal static class OperatorHost
{
    /// <summary>Builds a host whose start starts the operator and whose stop stops it in order.</summary>
    /// <param name="options">Settings.</param>
    /// <param name="kubernetes">How the API server is reached; null for the pod's service account, or the user's kubeconfig.</param>
    /// <param name="servers">Where a cluster's brokers are; null for the names of their pods.</param>
    public static WebApplication Build(
        OperatorOptions options, KubernetesClientConfiguration? kubernetes = null,
        Func<V1Alpha1WeirCluster, string>? servers = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Configuration.AddEnvironmentVariables("WEIR_OPERATOR_");
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        builder.Logging.AddSimpleConsole(static console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.UseUtcTimestamp = true;
        });
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = TimeSpan.FromSeconds(15));
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<OperatorMetrics>();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(static services => new OperatorRuntime(
            services.GetRequiredService<TimeProvider>(), Chance.Next, services.GetRequiredService<OperatorMetrics>(),
            services.GetRequiredService<ILoggerFactory>().CreateLogger("Weir.Operator")));
        builder.Services.AddSingleton(services => new KubeApi(
            new k8s.Kubernetes(kubernetes ?? KubernetesClientConfiguration.BuildDefaultConfig()),
            services.GetRequiredService<TimeProvider>(), services.GetRequiredService<OperatorMetrics>()));
        builder.Services.AddSingleton(services => new OperatorParts(
            services.GetRequiredService<KubeApi>(), options, services.GetRequiredService<OperatorRuntime>(),
            services.GetRequiredService<ILoggerFactory>(), servers));
        builder.Services.AddSingleton<OperatorService>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<OperatorService>());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = 64;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.ListenAnyIP(options.HttpPort);
        });
        var app = builder.Build();
        MapEndpoints(app);
        return app;
    }

    private static void MapEndpoints(WebApplication app)
    {
        app.UseRouting();
        app.MapGet("/livez", static (HttpContext context) => Answer(context, static service => !service.HasLostLeadership));
        app.MapGet("/readyz", static (HttpContext context) => Answer(context, static service => service.IsReady));
        app.MapGet("/metrics", static async (HttpContext context) =>
        {
            context.Response.ContentType = PrometheusConstants.TextContentTypeWithVersionAndEncoding;
            await context.RequestServices.GetRequiredService<OperatorMetrics>().Registry
                .CollectAndExportAsTextAsync(context.Response.Body, context.RequestAborted);
        });
    }

    private static Task Answer(HttpContext context, Func<OperatorService, bool> holds)
    {
        var isGood = holds(context.RequestServices.GetRequiredService<OperatorService>());
        context.Response.StatusCode = isGood ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        return context.Response.WriteAsync(isGood ? "ok\n" : "not ready\n");
    }
}
